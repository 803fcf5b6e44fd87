"""Names are taken literally: a photo is found again under exactly its name, and never another's."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.unit.edge.fakes import photo_of
from tests.unit.edge.http.asgi import exchange, multipart
from tests.unit.edge.http.conftest import AUTH, Edge, form

HOSTILE = [
    "a/../b",
    "..",
    ".",
    "%2e%2e",
    "a%2Fb",
    "a/b",
    "/",
    "//",
    "image",
    "a/image",
    'x" or photo_id != "',
    "a'b",
    "back\\slash",
    "%",
    "100%",
    "a+b c",
    "a?b=c&d",
    "a#b",
    ";",
    "🦊",
    "Ω≈ç√",
    "\u202eabc",
    "{photo_id}",
    "null",
]


@pytest.mark.parametrize("photo_id", HOSTILE)
async def test_a_photo_is_found_again_by_the_encoded_path(edge: Edge, photo_id: str) -> None:
    for other in ("a", "b", "x", "abc"):
        assert (await edge.put(other, "bob")).status_code == 200
    headers, body = multipart(photo_of("anna"))
    path = "/photos/" + quote(photo_id, safe="")
    put = await exchange(edge.app, "PUT", path, headers={**AUTH, **headers}, chunks=[body])
    assert put.status == 200
    assert put.json["photo_id"] == photo_id

    found = (await edge.search("anna")).json()["results"]
    assert [match["photo_id"] for match in found] == [photo_id]
    record = await exchange(edge.app, "GET", path, headers=AUTH)
    assert record.json["photo_id"] == photo_id
    image = await exchange(edge.app, "GET", path + "/image", headers=AUTH)
    assert image.body == photo_of("anna")
    removed = await exchange(
        edge.app, "DELETE", "/remove/" + quote(photo_id, safe=""), headers=AUTH
    )
    assert removed.json == {"photo_id": photo_id, "faces_removed": 1}
    assert (await edge.client.get("/embed_status/")).json()["total"] == 4


@pytest.mark.parametrize("photo_id", HOSTILE)
async def test_a_photo_is_found_again_by_the_query(edge: Edge, photo_id: str) -> None:
    name = {"photo_id": photo_id}
    assert (await edge.put(photo_id, "anna")).json()["photo_id"] == photo_id
    assert (await edge.client.get("/photos/", params=name)).json()["photo_id"] == photo_id
    image = await edge.client.get("/photos/image", params=name)
    assert image.content == photo_of("anna")
    listed = (await edge.client.get("/embed_status", params=name)).json()["items"]
    assert [item["photo_id"] for item in listed] == [photo_id]
    assert (await edge.client.delete("/remove/", params=name)).json()["photo_id"] == photo_id
    assert (await edge.client.get("/photos", params=name)).status_code == 404


@pytest.mark.parametrize("collection_id", HOSTILE)
async def test_a_collection_is_searched_under_exactly_its_name(
    edge: Edge, collection_id: str
) -> None:
    await edge.put("theirs", "anna", collection_id="theirs")
    await edge.put("nowhere", "anna")
    await edge.put("mine", "anna", collection_id=collection_id)
    found = (await edge.search("anna", collection_id=collection_id)).json()["results"]
    assert [(match["photo_id"], match["collection_id"]) for match in found] == [
        ("mine", collection_id)
    ]
    removed = await edge.client.delete("/remove_all/", params={"collection_id": collection_id})
    assert removed.json() == {"photos_removed": 1, "faces_removed": 1}


async def test_two_ways_to_write_one_name_are_one_photo(edge: Edge) -> None:
    await edge.put("Cafe\u0301", "anna")
    again = await edge.put("Caf\u00e9", "anna")
    assert again.json()["photo_id"] == "Caf\u00e9"
    assert again.json()["created"] is False


@pytest.mark.parametrize(
    "name",
    ["", "x" * 129, "a\nb", "a\x00b", "\x7f", "a\u0085b", " a", "a ", "\u3000a", "\t"],
    ids=repr,
)
async def test_a_name_that_cannot_be_is_refused_everywhere(edge: Edge, name: str) -> None:
    answers = [
        await edge.put(name, "anna"),
        await edge.client.post("/detect_faces/", files=form(photo_of("anna"), photo_id=name)),
        await edge.client.delete("/remove/", params={"photo_id": name}),
        await edge.client.get("/embed_status/", params={"photo_id": name}),
    ]
    if name:  # an empty collection_id means no collection
        answers.append(await edge.put("photo", "anna", collection_id=name))
        answers.append(await edge.search("anna", collection_id=name))
        answers.append(await edge.client.delete("/remove_all/", params={"collection_id": name}))
    assert [(a.status_code, a.json()["code"]) for a in answers] == [
        (400, "invalid_parameter")
    ] * len(answers)
    assert not edge.faces.calls


async def test_128_characters_of_any_size_are_a_name(edge: Edge) -> None:
    name = "🦊" * 128
    assert (await edge.put(name, "anna", collection_id=name)).json()["photo_id"] == name


@pytest.mark.parametrize("encoded", ["%ED%A0%80", "%FF", "%C3%28"], ids=["surrogate", "ff", "c328"])
async def test_a_name_that_is_not_utf8_is_refused(edge: Edge, encoded: str) -> None:
    by_path = await exchange(edge.app, "GET", f"/photos/{encoded}", headers=AUTH)
    by_query = await exchange(
        edge.app, "GET", "/photos/", query=f"photo_id={encoded}".encode(), headers=AUTH
    )
    raw = bytes.fromhex(encoded.replace("%", "")) if encoded != "%C3%28" else b"\xc3("
    headers, body = multipart(photo_of("anna"), photo_id="NAME")
    by_form = await exchange(
        edge.app,
        "POST",
        "/detect_faces/",
        headers={**AUTH, **headers},
        chunks=[body.replace(b"NAME", raw)],
    )
    for answer in (by_path, by_query, by_form):
        assert (answer.status, answer.json["code"]) == (400, "invalid_parameter")


@pytest.mark.parametrize(
    "path",
    ["/ping", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json", "/embed_status"],
)
async def test_a_path_works_with_and_without_its_slash(edge: Edge, path: str) -> None:
    for form_of_it in (path, path + "/"):
        answer = await edge.client.get(form_of_it, follow_redirects=False)
        assert answer.status_code == 200


async def test_an_unencoded_slash_is_another_path(edge: Edge) -> None:
    await edge.put("a/b", "anna")
    answer = await edge.client.get("/photos/a/b")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert "%2F" in answer.json()["detail"]


async def test_a_name_in_the_path_and_in_the_query_is_refused(edge: Edge) -> None:
    answer = await edge.client.delete("/remove/a", params={"photo_id": "b"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
