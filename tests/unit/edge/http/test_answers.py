"""What the operations answer, field by field, and what they do."""

from __future__ import annotations

import hashlib

import pytest

from edge.use_cases.model import FacesPolicy
from tests.unit.edge.fakes import OTHER_MODEL, FakeFaceAnalyzer, photo_of
from tests.unit.edge.http.conftest import Edge, MakeEdge, form


async def test_a_search_answers_with_every_field(edge: Edge) -> None:
    await edge.put("IMG_1", "anna", "bob", collection_id="wedding")
    answer = await edge.client.post(
        "/search/",
        headers={"X-Request-Id": "mine"},
        files=form(photo_of("anna", shot=1), collection_id="wedding"),
    )
    body = answer.json()
    took = body.pop("took_ms")
    assert set(took) == {"total", "inference", "vectors"}
    assert took["total"] >= took["inference"] >= 0
    face_id = body["results"][0]["face"]["face_id"]
    assert face_id.endswith("_0")
    score = body["results"][0]["score"]
    assert score == round(score, 4)
    box = {"x": 0.0, "y": 50.0, "width": 100.0, "height": 100.0}
    assert body == {
        "results": [
            {
                "photo_id": "IMG_1",
                "collection_id": "wedding",
                "score": score,
                "face": {"face_id": face_id, "bbox": box},
            }
        ],
        "top_k": 10,
        "offset": 0,
        "next_offset": None,
        "score_threshold": 0.5,
        "query": {
            "bbox": box,
            "detection_score": 0.9,
            "quality": {
                "overall": 0.8,
                "size": 100.0,
                "sharpness": 0.8,
                "yaw": 0.0,
                "pitch": 0.0,
                "roll": 0.0,
            },
            "turn": 0,
            "faces_found": 1,
        },
        "model": {"pack": "fake", "version": "1"},
        "request_id": "mine",
    }


async def test_two_faces_of_one_photo_take_one_row(edge: Edge) -> None:
    await edge.put("twice", "anna", "anna")
    await edge.put("once", "anna", shot=2)
    found = (await edge.search("anna", shot=0)).json()["results"]
    assert [match["photo_id"] for match in found] == ["twice", "once"]


async def test_pages_are_cut_from_one_order(edge: Edge) -> None:
    for shot in range(7):
        await edge.put(f"p{shot}", "anna", shot=shot)
    whole = (await edge.search("anna", top_k="50", shot=9)).json()
    assert whole["next_offset"] is None
    paged: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = (await edge.search("anna", top_k="3", offset=str(offset), shot=9)).json()
        paged += [match["photo_id"] for match in page["results"]]
        offset = page["next_offset"]
    assert paged == [match["photo_id"] for match in whole["results"]]
    assert len(paged) == 7


async def test_an_empty_base_and_an_empty_collection_give_an_empty_list(edge: Edge) -> None:
    assert (await edge.search("anna")).json()["results"] == []
    await edge.put("p", "anna")
    assert (await edge.search("anna", collection_id="none")).json()["results"] == []


@pytest.mark.parametrize(
    ("collection_id", "found"),
    [(None, {"", "a", "b"}), ("", {""}), ("a", {"a"})],
)
async def test_a_search_is_within_the_collection_named(
    edge: Edge, collection_id: str | None, found: set[str]
) -> None:
    for there in (None, "a", "b"):
        await edge.put("photo", "anna", collection_id=there)
    results = (await edge.search("anna", collection_id=collection_id)).json()["results"]
    assert {match["collection_id"] for match in results} == found


@pytest.mark.parametrize(
    ("people", "code", "count"),
    [
        ([], "no_faces_detected", 0),
        (["small:anna"], "no_faces_detected", 0),
        (["anna", "bob"], "too_many_faces", 2),
    ],
)
async def test_a_selfie_without_exactly_one_face_says_what_was_found(
    edge: Edge, people: list[str], code: str, count: int
) -> None:
    answer = await edge.search(*people)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, code)
    assert problem["faces"]["count"] == count
    assert len(problem["faces"]["boxes"]) == count
    if count:
        assert problem["faces"]["boxes"][1] == {
            "x": 200.0,
            "y": 50.0,
            "width": 100.0,
            "height": 100.0,
        }


async def test_the_largest_face_policy_says_how_many_there_were(make_edge: MakeEdge) -> None:
    edge = make_edge(search_faces=FacesPolicy.LARGEST)
    answer = await edge.search("anna", "bob")
    assert answer.json()["query"]["faces_found"] == 2


async def test_a_photo_is_detected_then_added_face_by_face(edge: Edge) -> None:
    image = photo_of("anna", "bob")
    detected = (await edge.client.post("/detect_faces/", files=form(image))).json()
    assert detected["photo_id"] == "sha256-" + hashlib.sha256(image).hexdigest()[:32]
    assert detected["collection_id"] == ""
    assert [face["status"] for face in detected["faces"]] == ["detected", "detected"]
    assert (await edge.search("bob")).json()["results"] == []

    face_id = detected["faces"][1]["face_id"]
    added = await edge.client.put("/add_face", files=form(face_id=face_id))
    assert added.json() == {
        "face_id": face_id,
        "photo_id": detected["photo_id"],
        "collection_id": "",
        "bbox": detected["faces"][1]["bbox"],
        "status": "indexed",
        "created": True,
        "model": {"pack": "fake", "version": "1"},
        "request_id": added.headers["X-Request-Id"],
    }
    again = await edge.client.put("/add_face/", params={"face_id": face_id})
    assert again.json()["created"] is False
    assert len((await edge.search("bob")).json()["results"]) == 1
    assert (await edge.search("anna")).json()["results"] == []
    status = (await edge.client.get("/embed_status/")).json()["items"][0]
    assert (status["status"], status["faces_detected"], status["faces_indexed"]) == (
        "indexed",
        2,
        1,
    )


async def test_a_preview_keeps_nothing(edge: Edge) -> None:
    answer = await edge.client.post("/detect_faces/", files=form(photo_of("anna"), keep="false"))
    assert [face["face_id"] for face in answer.json()["faces"]] == [None]
    assert (await edge.client.get("/embed_status/")).json()["items"] == []


async def test_a_photo_without_faces_is_no_error(edge: Edge) -> None:
    detected = await edge.client.post("/detect_faces/", files=form(photo_of(), photo_id="sea"))
    assert (detected.status_code, detected.json()["faces"]) == (200, [])
    put = await edge.put("sky")
    assert (put.status_code, put.json()["status"]) == (200, "no_faces")
    listed = await edge.client.get("/embed_status/", params={"status": "no_faces"})
    assert [item["photo_id"] for item in listed.json()["items"]] == ["sea", "sky"]


async def test_the_same_photo_again_keeps_its_face_ids(edge: Edge) -> None:
    first = (await edge.put("p", "anna")).json()
    second = (await edge.put("p", "anna")).json()
    assert (first["created"], second["created"]) == (True, False)
    assert first["faces"] == second["faces"]


async def test_a_photo_is_not_replaced_if_asked_not_to(edge: Edge) -> None:
    star = {"If-None-Match": "*"}
    files = form(photo_of("bob"))
    assert (await edge.client.put("/photos/p", headers=star, files=files)).status_code == 200
    refused = await edge.client.put("/photos/p", headers=star, files=form(photo_of("anna")))
    assert (refused.status_code, refused.json()["code"]) == (412, "already_exists")
    assert (await edge.search("anna")).json()["results"] == []


async def test_a_photo_in_several_collections_must_be_told_apart(edge: Edge) -> None:
    await edge.put("p", "anna", collection_id="a")
    await edge.put("p", "anna", collection_id="b")
    for call in (
        edge.client.get("/photos/p"),
        edge.client.get("/photos/p/image"),
        edge.client.delete("/remove/p"),
        edge.client.put("/add_face/", params={"photo_id": "p", "bbox": "0,50,100,100"}),
    ):
        answer = await call
        assert (answer.status_code, answer.json()["code"]) == (409, "ambiguous_photo")
        assert answer.json()["collections"] == ["a", "b"]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/photos/unknown", "photo_not_found"),
        ("GET", "/photos/unknown/image", "photo_not_found"),
        ("DELETE", "/remove/unknown", "photo_not_found"),
        ("PUT", "/add_face/?face_id=f_01m7xr46hht5gk20knhgmnrdka_0", "face_not_found"),
        ("PUT", "/add_face/?face_id=nonsense", "face_not_found"),
        ("PUT", "/add_face/?photo_id=unknown%26bbox=1&photo_id=x", "invalid_parameter"),
        ("PUT", "/add_face/?photo_id=unknown&bbox=1,2,3,4", "photo_not_found"),
    ],
)
async def test_what_is_not_there_is_not_found(
    edge: Edge, method: str, path: str, code: str
) -> None:
    answer = await edge.client.request(method, path)
    assert answer.json()["code"] == code
    assert answer.status_code == (400 if code == "invalid_parameter" else 404)


async def test_a_box_with_no_face_under_it_is_told(edge: Edge) -> None:
    await edge.put("p", "anna", "bob")
    answer = await edge.client.put("/add_face/", params={"photo_id": "p", "bbox": "110,5,20,20"})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_faces_detected")


async def test_a_removed_photo_is_in_no_result(edge: Edge) -> None:
    await edge.put("p", "anna", "bob")
    removed = await edge.client.delete("/remove/p")
    assert removed.json() == {"photo_id": "p", "faces_removed": 2}
    assert (await edge.search("anna")).json()["results"] == []
    assert (await edge.client.delete("/remove/p")).status_code == 404


async def test_removing_all_may_be_limited_to_no_collection(edge: Edge) -> None:
    await edge.put("p", "anna")
    await edge.put("p", "anna", collection_id="a")
    answer = await edge.client.delete("/remove_all/", params={"collection_id": ""})
    assert answer.json() == {"photos_removed": 1, "faces_removed": 1}
    assert (await edge.client.delete("/remove_all")).json()["photos_removed"] == 1


async def test_a_list_is_paged_by_a_cursor(edge: Edge) -> None:
    for n in range(5):
        await edge.put(f"p{n}", "anna", shot=n, collection_id="ü 🦊")
    seen: list[str] = []
    params = {"limit": "2"}
    while True:
        page = (await edge.client.get("/embed_status/", params=params)).json()
        assert page["total"] == 5
        seen += [item["photo_id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert seen == [f"p{n}" for n in range(5)]


async def test_the_bytes_come_back_as_they_went(edge: Edge) -> None:
    png = photo_of("anna")
    await edge.client.put("/photos/p", files=form(png))
    answer = await edge.client.get("/photos/p/image")
    assert answer.content == png
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_base_of_another_pack_is_a_conflict(edge: Edge, make_edge: MakeEdge) -> None:
    await edge.put("p", "anna")
    fresh = make_edge(stores=edge.stores, faces=FakeFaceAnalyzer(loaded=OTHER_MODEL))
    answer = await fresh.search("anna")
    assert (answer.status_code, answer.json()["code"]) == (409, "embedding_space_mismatch")
    assert "pack fake" in answer.json()["detail"]
    assert "index" in answer.json()["detail"]
    ready = await fresh.client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["dependencies"]["inference"]["state"] == "mismatch"
