"""How large, how many, how long; and that the answer arrives."""

from __future__ import annotations

import asyncio
import re

import pytest

from edge.middleware.unread_body import MAX_DRAINED_BYTES
from tests.unit.edge.fakes import FakeFaceAnalyzer, Gate, photo_of
from tests.unit.edge.http.asgi import exchange, multipart
from tests.unit.edge.http.conftest import AUTH, Edge, MakeEdge, form

SMALL = {"max_search_bytes": 10_000, "max_enrol_bytes": 20_000, "max_field_bytes": 1_024}


@pytest.fixture
def small(make_edge: MakeEdge) -> Edge:
    """An edge with little room."""
    return make_edge(**SMALL)


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", "/search/", 10_000),
        ("POST", "/detect_faces/", 20_000),
        ("PUT", "/photos/p", 20_000),
    ],
)
async def test_one_byte_over_the_limit_of_the_image_is_too_large(
    small: Edge, method: str, path: str, limit: int
) -> None:
    fits = await small.client.request(method, path, files=form(b"x" * limit))
    assert fits.json()["code"] == "invalid_image_format"
    over = await small.client.request(method, path, files=form(b"x" * (limit + 1)))
    assert (over.status_code, over.json()["code"]) == (413, "image_too_large")
    assert small.faces.calls.count("analyze") <= 1


async def test_a_declared_length_over_the_limit_is_answered_before_the_body(small: Edge) -> None:
    headers, body = multipart(b"x" * 21_000_000)
    pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]
    seen = await exchange(
        small.app,
        "PUT",
        "/photos/p",
        headers={**AUTH, **headers, "Content-Length": str(len(body))},
        chunks=pieces,
    )
    assert (seen.status, seen.json["code"]) == (413, "image_too_large")
    assert seen.events[:2] == ["start", "body"]
    assert seen.headers["connection"] == "close"
    assert seen.bytes_read <= MAX_DRAINED_BYTES + 65_536


async def test_chunks_without_a_length_are_counted(small: Edge) -> None:
    headers, body = multipart(b"x" * 21_000_000)
    pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]
    seen = await exchange(
        small.app,
        "PUT",
        "/photos/p",
        headers={**AUTH, **headers, "Transfer-Encoding": "chunked"},
        chunks=pieces,
    )
    assert (seen.status, seen.json["code"]) == (413, "image_too_large")
    before_the_answer = seen.events[: seen.events.index("start")]
    assert len(before_the_answer) == 1
    assert seen.bytes_read <= MAX_DRAINED_BYTES + 2 * 65_536


async def test_chunks_that_are_no_form_are_counted_too(small: Edge) -> None:
    seen = await exchange(
        small.app,
        "GET",
        "/embed_status/",
        headers={**AUTH, "Transfer-Encoding": "chunked", "Content-Type": "text/plain"},
        chunks=[b"x" * 65_536] * 400,
    )
    assert seen.status == 400
    assert seen.bytes_read <= MAX_DRAINED_BYTES + 2 * 65_536


async def test_a_body_that_stalls_is_not_waited_for(small: Edge) -> None:
    never = asyncio.Event()
    sent: list[object] = []

    async def receive() -> dict[str, object]:
        await never.wait()
        raise AssertionError

    async def send(message: object) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/search/",
        "raw_path": b"/search/",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-length", b"100")],
    }
    async with asyncio.timeout(2):  # draining takes 200 ms
        await small.app(scope, receive, send)
    assert len(sent) == 3
    # The answer was there long before.
    metrics = (await small.client.get("/metrics")).text
    (took,) = re.findall(r'edge_request_seconds_sum{.*status="401"} (\S+)', metrics)
    assert float(took) < 0.15


async def test_an_answered_request_keeps_its_connection(edge: Edge) -> None:
    headers, body = multipart(photo_of("anna"))
    seen = await exchange(
        edge.app,
        "POST",
        "/search/",
        headers={**AUTH, **headers, "Content-Length": str(len(body))},
        chunks=[body],
    )
    assert seen.status == 200
    assert "connection" not in seen.headers


async def test_the_request_over_the_limit_in_flight_is_refused_at_once(
    make_edge: MakeEdge,
) -> None:
    gate, both = Gate(), asyncio.Barrier(3)

    async def arrive() -> None:
        await both.wait()
        await gate()

    edge = make_edge(faces=FakeFaceAnalyzer(on_analyze=arrive), max_in_flight=2)
    held = [asyncio.create_task(edge.search("anna", shot=shot)) for shot in (1, 2)]
    await both.wait()
    refused = await edge.search("bob")
    assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
    assert int(refused.headers["Retry-After"]) >= 1
    assert (await edge.client.get("/livez")).status_code == 200
    gate.open()
    assert [(await task).status_code for task in held] == [200, 200]
    edge.faces.on_analyze = None
    assert (await edge.search("bob")).status_code == 200


async def test_a_request_past_its_deadline_is_answered_504(make_edge: MakeEdge) -> None:
    edge = make_edge(faces=FakeFaceAnalyzer(on_analyze=Gate()))
    answer = await edge.client.post(
        "/search/", headers={"X-Request-Timeout": "0.05"}, files=form(photo_of("anna"))
    )
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")
    assert "0.05" in answer.json()["detail"]


async def test_the_longest_deadline_is_the_servers(make_edge: MakeEdge) -> None:
    edge = make_edge(
        faces=FakeFaceAnalyzer(on_analyze=Gate()),
        default_timeout_seconds=0.05,
        max_timeout_seconds=0.05,
    )
    answer = await edge.client.post(
        "/search/", headers={"X-Request-Timeout": "1000"}, files=form(photo_of("anna"))
    )
    assert answer.status_code == 504


async def test_a_deadline_that_passes_leaves_no_trace(make_edge: MakeEdge) -> None:
    edge = make_edge(faces=FakeFaceAnalyzer(on_analyze=Gate()))
    answer = await edge.client.put(
        "/photos/p", headers={"X-Request-Timeout": "0.05"}, files=form(photo_of("anna"))
    )
    assert answer.status_code == 504
    assert (await edge.client.get("/embed_status/")).json()["items"] == []
