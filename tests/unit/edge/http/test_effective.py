"""Answers say what was applied: the threshold of a search, the least quality of a face."""

from __future__ import annotations

import pytest

from edge.errors import DeadlineExceeded, InferenceUnavailable, Overloaded
from edge.use_cases.model import FacesPolicy
from edge.use_cases.quality import LowQualityPolicy
from tests.unit.edge.fakes import OTHER_MODEL, FakeFaceAnalyzer, photo_of
from tests.unit.edge.http.conftest import Edge, MakeEdge, form

REFUSE = LowQualityPolicy.REFUSE


async def threshold_of(edge: Edge, *people: str, **fields: str | None) -> tuple[int, float]:
    answer = await edge.search(*people, shot=1, **fields)
    return answer.status_code, answer.json()["score_threshold"]


@pytest.mark.parametrize(
    ("sent", "applied"),
    [({}, 0.37), ({"score_threshold": "0.25"}, 0.25), ({"score_threshold": "recommended"}, 0.4)],
)
@pytest.mark.parametrize(
    ("people", "status"),
    [
        (["anna"], 200),  # found
        (["nobody who is in the base"], 200),  # an empty list
        ([], 422),
        (["small:anna"], 422),
        (["anna", "bob"], 422),
    ],
)
async def test_every_search_says_its_threshold(
    make_edge: MakeEdge, people: list[str], status: int, sent: dict[str, str], applied: float
) -> None:
    edge = make_edge(score_threshold=0.37)
    await edge.put("IMG_1", "anna")
    assert await threshold_of(edge, *people, **sent) == (status, applied)


async def test_a_search_in_an_empty_base_says_its_threshold(edge: Edge) -> None:
    assert await threshold_of(edge, "anna") == (200, 0.5)


async def test_a_page_behind_the_last_says_its_threshold(edge: Edge) -> None:
    await edge.put("IMG_1", "anna")
    assert await threshold_of(edge, "anna", offset="40") == (200, 0.5)


async def test_with_the_largest_face_too_the_threshold_is_said(make_edge: MakeEdge) -> None:
    edge = make_edge(search_faces=FacesPolicy.LARGEST)
    assert await threshold_of(edge, "anna", "bob") == (200, 0.5)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InferenceUnavailable("away"), 503),
        (Overloaded("full"), 429),
        (DeadlineExceeded("late"), 504),
    ],
)
async def test_a_search_that_failed_says_its_threshold(
    edge: Edge, error: Exception, status: int
) -> None:
    edge.faces.errors = [error]
    assert await threshold_of(edge, "anna", score_threshold="0.3") == (status, 0.3)


async def test_a_search_in_another_packs_base_says_its_threshold(
    edge: Edge, make_edge: MakeEdge
) -> None:
    await edge.put("IMG_1", "anna")
    other = make_edge(stores=edge.stores, faces=FakeFaceAnalyzer(loaded=OTHER_MODEL))
    assert await threshold_of(other, "anna") == (409, 0.5)


async def test_a_threshold_that_cannot_be_applied_is_not_said(edge: Edge) -> None:
    answer = await edge.search("anna", score_threshold="7")
    assert answer.status_code == 400
    assert "score_threshold" not in answer.json()


async def test_by_default_no_face_is_poor(edge: Edge) -> None:
    body = (await edge.put("IMG_1", "poor:anna")).json()
    assert (body["min_quality"], body["refused"], body["status"]) == (0.0, [], "indexed")
    assert [face["low_quality"] for face in body["faces"]] == [False]


async def test_a_poor_face_is_marked_wherever_it_is_shown(make_edge: MakeEdge) -> None:
    edge = make_edge(min_quality=0.5)
    put = (await edge.put("IMG_1", "anna", "poor:bob")).json()
    record = (await edge.client.get("/photos/IMG_1")).json()
    detected = (
        await edge.client.post("/detect_faces/", files=form(photo_of("anna", "poor:bob", shot=3)))
    ).json()
    preview = (
        await edge.client.post(
            "/detect_faces/", files=form(photo_of("anna", "poor:bob"), keep="false")
        )
    ).json()
    for body in (put, record, detected, preview):
        assert [face["low_quality"] for face in body["faces"]] == [False, True]
        assert body["min_quality"] == 0.5
    assert put["refused"] == []
    assert (await edge.search("bob")).json()["results"] != []


async def test_a_refused_face_is_listed_with_the_reason(make_edge: MakeEdge) -> None:
    edge = make_edge(min_quality=0.5, low_quality=REFUSE)
    body = (await edge.put("IMG_1", "anna", "poor:bob")).json()
    bob = body["faces"][1]
    (refused,) = body["refused"]
    assert (refused["face_id"], refused["reason"]) == (bob["face_id"], "low_quality")
    assert "0.100" in refused["detail"]
    assert (body["status"], bob["status"], bob["low_quality"]) == ("indexed", "detected", True)
    assert (await edge.search("bob")).json()["results"] == []
    again = (await edge.put("IMG_1", "anna", "poor:bob")).json()
    assert (again["created"], again["refused"]) == (False, body["refused"])


async def test_a_photo_with_refused_faces_only_is_no_error_and_says_so(
    make_edge: MakeEdge,
) -> None:
    edge = make_edge(min_quality=0.5, low_quality=REFUSE)
    answer = await edge.put("IMG_1", "poor:anna", "poor:bob")
    body = answer.json()
    assert (answer.status_code, body["status"]) == (200, "detected")
    assert len(body["refused"]) == len(body["faces"]) == 2
    (item,) = (await edge.client.get("/embed_status/")).json()["items"]
    assert (item["status"], item["faces_detected"], item["faces_indexed"]) == ("detected", 2, 0)


async def test_a_poor_face_added_by_hand_is_refused_too(make_edge: MakeEdge) -> None:
    edge = make_edge(min_quality=0.5, low_quality=REFUSE)
    detected = (await edge.client.post("/detect_faces/", files=form(photo_of("poor:bob")))).json()
    answer = await edge.client.put(
        "/add_face/", files=form(face_id=detected["faces"][0]["face_id"])
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "low_quality")


async def test_poor_faces_are_counted_and_refused_ones_are_not_indexed(
    make_edge: MakeEdge,
) -> None:
    edge = make_edge(min_quality=0.5, low_quality=REFUSE)
    await edge.put("IMG_1", "anna", "poor:bob", "poor:carol")
    lines = (await edge.client.get("/metrics")).text.splitlines()
    assert 'facesearch_edge_faces_of_low_quality_total{policy="refuse"} 2.0' in lines
    assert "facesearch_edge_faces_indexed_total 1.0" in lines
