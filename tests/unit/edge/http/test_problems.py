"""Every error has its status, its code and its words, and gives nothing away."""

from __future__ import annotations

import inspect

import pytest

from edge import errors as edge_errors
from edge.problems import INTERNAL, KINDS, kind_of, problem_of
from storage import errors as storage_errors
from storage.records.model import Box
from tests.unit.edge.fakes import FakeFaceAnalyzer, photo_of
from tests.unit.edge.http.conftest import Edge, MakeEdge, form

SECRET = "/var/lib/secret psycopg SELECT milvus-7:19530"

ANSWERS = [
    (edge_errors.InferenceUnavailable(SECRET), 503, "inference_unavailable"),
    (edge_errors.Overloaded("the queue is full", 3.2), 429, "overloaded"),
    (edge_errors.DeadlineExceeded("too late"), 504, "deadline_exceeded"),
    (edge_errors.InvalidImage("no JPEG"), 415, "invalid_image_format"),
    (edge_errors.ImageTooLarge("60 megapixels"), 413, "image_too_large"),
    (edge_errors.NoFacesDetected("none"), 422, "no_faces_detected"),
    (edge_errors.TooManyFaces("two", [Box(1, 2, 3, 4)]), 422, "too_many_faces"),
    (storage_errors.VectorsUnavailable(SECRET), 503, "vectors_unavailable"),
    (storage_errors.RecordsUnavailable(SECRET), 503, "records_unavailable"),
    (storage_errors.PhotosUnavailable(SECRET), 503, "photos_unavailable"),
    (storage_errors.StorageFull(SECRET), 503, "storage_full"),
    (storage_errors.RevisionGone(SECRET), 503, "records_unavailable"),
    (storage_errors.EmbeddingSpaceMismatch("s1", "s2"), 409, "embedding_space_mismatch"),
    (storage_errors.CollectionNeeded(SECRET), 400, "collection_needed"),
    (storage_errors.AlreadyExists(SECRET), 412, "already_exists"),
    (RuntimeError(SECRET), 500, "internal"),
    (TimeoutError(SECRET), 500, "internal"),
    (ExceptionGroup(SECRET, [ValueError(SECRET)]), 500, "internal"),
]


@pytest.mark.parametrize(
    ("error", "status", "code"), ANSWERS, ids=lambda value: str(value)[:30] or None
)
async def test_an_error_is_answered_with_its_code(
    make_edge: MakeEdge, error: Exception, status: int, code: str
) -> None:
    edge = make_edge(faces=FakeFaceAnalyzer(errors=[error]))
    answer = await edge.client.post(
        "/search/", headers={"X-Request-Id": "abc"}, files=form(photo_of("anna"))
    )
    problem = answer.json()
    assert answer.status_code == problem["status"] == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (problem["code"], problem["request_id"]) == (code, "abc")
    assert problem["type"].endswith(code)
    assert problem["title"]
    assert problem["detail"]
    assert not any(word in answer.text for word in SECRET.split())
    if status in (429, 503):
        assert int(answer.headers["Retry-After"]) == (4 if code == "overloaded" else 1)
    else:
        assert "Retry-After" not in answer.headers


@pytest.mark.parametrize("module", [edge_errors, storage_errors])
def test_every_error_that_may_reach_a_route_has_a_kind(module: object) -> None:
    never_in_a_request = {
        edge_errors.EdgeError,
        edge_errors.FacesError,
        edge_errors.StartRefused,
        storage_errors.StorageError,
        storage_errors.StoreUnavailable,
        storage_errors.StoreMisconfigured,
        storage_errors.StoreLocked,
        storage_errors.SpaceInUse,
    }
    known = tuple(raised for raised, _ in KINDS)
    for _, error in inspect.getmembers(module, inspect.isclass):
        if issubclass(error, Exception) and error not in never_in_a_request:
            assert issubclass(error, known), error


def test_an_error_nobody_meant_to_raise_is_a_bug() -> None:
    assert kind_of(KeyError("x")) is INTERNAL
    assert "x" not in problem_of(KeyError("x")).detail.split()


async def test_boxes_of_the_faces_have_one_decimal(make_edge: MakeEdge) -> None:
    error = edge_errors.TooManyFaces("two", [Box(1.26, 2.0, 3.333, 4.99)])
    edge = make_edge(faces=FakeFaceAnalyzer(errors=[error]))
    faces = (await edge.search("anna")).json()["faces"]
    assert faces == {"count": 1, "boxes": [{"x": 1.3, "y": 2.0, "width": 3.3, "height": 5.0}]}


async def test_an_unknown_path_needs_a_key_first(edge: Edge) -> None:
    del edge.client.headers["X-Api-Key"]
    assert (await edge.client.get("/nothing")).status_code == 401


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/search/", "POST"),
        ("/photos/p", "GET, PUT"),
        ("/photos", "GET, PUT"),
        ("/ping", "GET"),
        ("/remove_all", "DELETE"),
    ],
)
async def test_another_method_is_told_which_there_are(edge: Edge, path: str, allowed: str) -> None:
    answer = await edge.client.request("PATCH", path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed


@pytest.mark.parametrize(
    ("sent", "is_taken"),
    [
        ("abc-123", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("a b", False),
        ("é", False),
        ("", False),
    ],
)
async def test_a_request_id_is_taken_if_it_is_fit_to_be_logged(
    edge: Edge, sent: str, is_taken: bool
) -> None:
    answer = await edge.client.get("/ping", headers=[(b"X-Request-Id", sent.encode())])
    returned = answer.headers["X-Request-Id"]
    assert (returned == sent) is is_taken
    assert len(returned) == 32 or is_taken
