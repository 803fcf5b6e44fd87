"""Every parameter that cannot be is a 400 that names it; nothing is done."""

from __future__ import annotations

import pytest

from tests.unit.edge.fakes import photo_of
from tests.unit.edge.http.asgi import exchange, multipart
from tests.unit.edge.http.conftest import AUTH, Edge, form

BAD_SEARCH = [
    ("top_k", "0"),
    ("top_k", "51"),
    ("top_k", "-1"),
    ("top_k", "x"),
    ("top_k", ""),
    ("top_k", "1.5"),
    ("top_k", "1_0"),
    ("top_k", " 1"),
    ("top_k", "١"),
    ("top_k", "9" * 5000),
    ("score_threshold", "2"),
    ("score_threshold", "-1.01"),
    ("score_threshold", "NaN"),
    ("score_threshold", "inf"),
    ("score_threshold", "high"),
    ("score_threshold", ""),
    ("offset", "-1"),
    ("offset", "1e3"),
    ("topk", "5"),
]


@pytest.mark.parametrize(("name", "value"), BAD_SEARCH, ids=lambda text: text[:12] or "empty")
@pytest.mark.parametrize("place", ["form", "query"])
async def test_a_search_with_a_bad_parameter_is_refused(
    edge: Edge, name: str, value: str, place: str
) -> None:
    await edge.put("photo", "anna")
    edge.faces.calls.clear()
    selfie = photo_of("anna", shot=1)
    answer = (
        await edge.client.post("/search/", files=form(selfie, **{name: value}))
        if place == "form"
        else await edge.client.post("/search/", files=form(selfie), params={name: value})
    )
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "invalid_parameter")
    assert [error["field"] for error in problem["errors"]] == [name]
    assert not edge.faces.calls


@pytest.mark.parametrize("value", ["1", "50"])
async def test_the_ends_of_the_range_of_top_k_are_in_it(edge: Edge, value: str) -> None:
    assert (await edge.search("anna", top_k=value)).json()["top_k"] == int(value)


@pytest.mark.parametrize("value", ["-1", "1", "0", "-0.5", "1e-3"])
async def test_every_cosine_is_a_threshold(edge: Edge, value: str) -> None:
    answer = await edge.search("anna", score_threshold=value)
    assert answer.json()["score_threshold"] == float(value)


async def test_the_recommended_threshold_is_the_packs(edge: Edge) -> None:
    answer = await edge.search("anna", score_threshold="recommended")
    assert answer.json()["score_threshold"] == edge.faces.threshold


async def test_a_pack_that_recommends_nothing_is_told(edge: Edge) -> None:
    edge.faces.threshold = None
    answer = await edge.search("anna", score_threshold="recommended")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "score_threshold")


async def test_the_form_wins_over_the_query(edge: Edge) -> None:
    answer = await edge.client.post(
        "/search/", params={"top_k": "7", "offset": "2"}, files=form(photo_of("a"), top_k="3")
    )
    assert (answer.json()["top_k"], answer.json()["offset"]) == (3, 2)


@pytest.mark.parametrize("path", ["/search/", "/detect_faces/"])
async def test_a_missing_image_is_refused(edge: Edge, path: str) -> None:
    for files in (form(collection_id="a"), None):
        answer = await edge.client.post(path, files=files)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
        assert answer.json()["errors"][0]["field"] == "image"


@pytest.mark.parametrize("path", ["/search/", "/detect_faces/"])
async def test_two_images_are_refused(edge: Edge, path: str) -> None:
    answer = await edge.client.post(path, files=form(photo_of("a")) + form(photo_of("b")))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "image")
    assert not edge.faces.calls


async def test_an_empty_image_is_no_image(edge: Edge) -> None:
    answer = await edge.client.put("/photos/p", files=form(b""))
    assert (answer.status_code, answer.json()["code"]) == (415, "invalid_image_format")
    assert await edge.stores.records.keys_of("p") == []


async def test_a_parameter_that_comes_twice_is_refused(edge: Edge) -> None:
    parts = form(photo_of("anna"), top_k="1") + form(None, top_k="2")
    answer = await edge.client.post("/search/", files=parts)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "top_k")


async def test_collections_may_be_repeated_in_a_search(edge: Edge) -> None:
    for collection_id in ("a", "b", "c"):
        await edge.put("photo", "anna", collection_id=collection_id)
    parts = form(photo_of("anna", shot=1), collection_id="a") + form(None, collection_id="c")
    answer = await edge.client.post("/search/", files=parts)
    assert [match["collection_id"] for match in answer.json()["results"]] == ["a", "c"]


@pytest.mark.parametrize(
    "bbox",
    [
        "",
        "1,2,3",
        "1,2,3,4,5",
        "a,b,c,d",
        "1,2,0,4",
        "1,2,3,-4",
        "nan,0,10,10",
        "0,0,inf,10",
        "{",
        "{}",
        '{"x": 1, "y": 2, "width": 3}',
        '{"x": 1, "y": 2, "width": 3, "height": "4"}',
        '{"x": 1, "y": 2, "width": 3, "height": true}',
        '{"x": NaN, "y": 2, "width": 3, "height": 4}',
        "[1,2,3,4]",
        "10000,10000,5,5",
    ],
)
async def test_a_box_that_cannot_be_is_refused(edge: Edge, bbox: str) -> None:
    await edge.put("photo", "anna")
    answer = await edge.client.put("/add_face/", files=form(photo_id="photo", bbox=bbox))
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert answer.json()["errors"][0]["field"] == "bbox"


@pytest.mark.parametrize(
    "bbox", ["0,50,100,100", " 0 , 50.0, 1e2,100", '{"x":0,"y":50,"width":100,"height":100}']
)
async def test_a_box_comes_as_numbers_or_as_an_object(edge: Edge, bbox: str) -> None:
    await edge.client.post("/detect_faces/", files=form(photo_of("anna"), photo_id="photo"))
    answer = await edge.client.put("/add_face/", files=form(photo_id="photo", bbox=bbox))
    assert answer.status_code == 200
    assert answer.json()["bbox"] == {"x": 0.0, "y": 50.0, "width": 100.0, "height": 100.0}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"photo_id": "p"},
        {"bbox": "1,2,3,4"},
        {"face_id": "f", "photo_id": "p"},
        {"face_id": "f", "bbox": "1,2,3,4"},
    ],
    ids=lambda fields: "+".join(fields) or "nothing",
)
async def test_a_face_is_named_in_one_way(edge: Edge, fields: dict[str, str]) -> None:
    answer = await edge.client.put("/add_face/", params=fields)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "many"),
        ("status", "done"),
        ("cursor", "x"),
        ("cursor", "bnVsbA"),
        ("cursor", "WyJhIl0"),
        ("cursor", "ü"),
        ("collection", "a"),
    ],
)
async def test_a_list_with_a_bad_parameter_is_refused(edge: Edge, name: str, value: str) -> None:
    answer = await edge.client.get("/embed_status/", params={name: value})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, name)


async def test_a_misspelt_collection_never_removes_everything(edge: Edge) -> None:
    await edge.put("photo", "anna")
    for call in (
        edge.client.delete("/remove_all/", params={"collection": "a"}),
        edge.client.request("DELETE", "/remove_all/", files=form(collection="a")),
        edge.client.request("DELETE", "/remove_all/", data={"collection_id": "a"}),
        edge.client.request("DELETE", "/remove_all/", json={"collection_id": "a"}),
    ):
        answer = await call
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameter")
    assert (await edge.client.get("/embed_status/")).json()["total"] == 1


async def test_a_removal_reads_its_form(edge: Edge) -> None:
    await edge.put("photo", "anna", collection_id="a")
    await edge.put("photo", "anna", collection_id="b")
    await edge.client.request("DELETE", "/remove_all/", files=form(collection_id="a"))
    left = (await edge.client.get("/embed_status/")).json()["items"]
    assert [item["collection_id"] for item in left] == ["b"]


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan", "inf", ""])
async def test_a_deadline_that_is_no_time_is_refused(edge: Edge, value: str) -> None:
    answer = await edge.client.get("/embed_status/", headers={"X-Request-Timeout": value})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "X-Request-Timeout")


async def test_only_a_star_is_understood_as_a_condition(edge: Edge) -> None:
    answer = await edge.client.put(
        "/photos/p", headers={"If-None-Match": '"etag"'}, files=form(photo_of("anna"))
    )
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "If-None-Match")


@pytest.mark.parametrize("length", ["x", "-1", "1e3", "9" * 30])
async def test_a_length_that_is_none_is_refused(edge: Edge, length: str) -> None:
    headers, body = multipart(photo_of("anna"))
    seen = await exchange(
        edge.app,
        "POST",
        "/search/",
        headers={**AUTH, **headers, "Content-Length": length},
        chunks=[body],
    )
    assert seen.status in (400, 413)


@pytest.mark.parametrize("value", ["yes", "", "2"])
async def test_keep_is_true_or_false(edge: Edge, value: str) -> None:
    answer = await edge.client.post("/detect_faces/", files=form(photo_of("anna"), keep=value))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "keep")
