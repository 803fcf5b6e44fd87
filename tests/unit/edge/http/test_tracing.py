"""The trace of a request: a span for it, one for each of its parts, and nothing that names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx2
import pytest
import structlog
from opentelemetry.trace import SpanKind, StatusCode

from edge.app import create_app
from edge.backend import Backend
from edge.deadline import current_traceparent
from edge.services import build_services
from edge.settings import EdgeSettings
from edge.traced_port import traced_stores
from edge.tracing_otel import OtelTracing, sampler
from storage.errors import VectorsUnavailable
from storage.open import Stores
from storage.photos.memory import MemoryPhotoStore
from storage.records.memory import MemoryRecordStore
from storage.vectors.memory import MemoryVectorStore
from tests.unit.edge.fakes import FakeFaceAnalyzer, failing, photo_of, stepping
from tests.unit.edge.http.conftest import AUTH, KEY, MakeEdge, form
from tests.unit.tracing.spans import (
    CALLER_SPAN,
    CALLER_TRACE,
    NOT_SAMPLED,
    SAMPLED,
    Spans,
    context_of,
    facts_of,
    names,
)


@dataclass
class Traced:
    """An edge that is traced, and its spans."""

    spans: Spans = field(default_factory=Spans)
    faces: FakeFaceAnalyzer = field(default_factory=FakeFaceAnalyzer)
    told: list[str | None] = field(default_factory=list)
    """The trace context that inference was called with."""
    logged: list[object] = field(default_factory=list)
    """The trace that a line of the log would have named meanwhile."""

    def __post_init__(self) -> None:
        self.vectors, self.steps = stepping(MemoryVectorStore())
        self.stores = Stores(self.vectors, MemoryRecordStore(), MemoryPhotoStore())
        self.tracing = OtelTracing(self.spans.provider, "test")
        settings = EdgeSettings.model_validate({"api_key": KEY})
        services = build_services(
            settings, self.stores, self.faces, lambda _: FakeFaceAnalyzer(), tracing=self.tracing
        )
        app = create_app(settings, Backend(services), tracing=self.tracing)
        self.client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url="http://edge", headers=AUTH
        )
        self.faces.on_analyze = self._listen

    async def _listen(self) -> None:
        self.told.append(current_traceparent.get())
        self.logged.append(structlog.contextvars.get_contextvars().get("trace_id"))

    async def search(self, *people: str, **headers: str) -> httpx2.Response:
        return await self.client.post(
            "/search/", files=form(photo_of(*people, shot=1)), headers=headers
        )


@pytest.fixture
async def traced() -> AsyncIterator[Traced]:
    edge = Traced()
    async with edge.client:
        yield edge


@pytest.fixture
async def with_anna(traced: Traced) -> Traced:
    """Anna is enrolled, which left spans of its own."""
    answer = await traced.client.put("/photos/?photo_id=p", files=form(photo_of("anna")))
    assert answer.status_code == 200
    traced.told.clear()
    return traced


async def test_a_search_is_one_span_with_its_parts_below(with_anna: Traced) -> None:
    assert (await with_anna.search("anna")).status_code == 200
    request = with_anna.spans.one("POST /search/")
    assert request.kind is SpanKind.SERVER
    assert request.parent is None
    assert request.status.status_code is StatusCode.UNSET
    assert facts_of(request) == {
        "http.request.method": "POST",
        "http.route": "/search/",
        "http.response.status_code": 200,
    }
    parts = with_anna.spans.under(request)
    assert [name for name in names(parts) if name != "records.spaces"] == [
        "inference.analyze",
        "vectors.search",
        "records.visible",
    ]
    assert [part.kind for part in parts if part.name.startswith("inference.")] == [SpanKind.CLIENT]


async def test_an_enrolment_shows_every_store_it_waited_for(with_anna: Traced) -> None:
    parts = names(with_anna.spans.under(with_anna.spans.one("PUT /photos/")))
    assert {"records.begin", "photos.put", "inference.analyze", "vectors.add"} <= set(parts)
    assert parts[-1] == "records.commit_live"


async def test_a_request_joins_the_trace_of_its_caller(with_anna: Traced) -> None:
    await with_anna.search("anna", traceparent=SAMPLED)
    request = with_anna.spans.one("POST /search/")
    assert f"{context_of(request).trace_id:032x}" == CALLER_TRACE
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == CALLER_SPAN


async def test_inference_is_told_the_span_of_its_call(with_anna: Traced) -> None:
    await with_anna.search("anna")
    request = with_anna.spans.one("POST /search/")
    (call,) = (span for span in with_anna.spans.under(request) if span.name == "inference.analyze")
    context = context_of(call)
    (told,) = with_anna.told
    assert told is not None
    _, trace_id, span_id, flags = told.split("-")
    assert (trace_id, span_id) == (f"{context.trace_id:032x}", f"{context.span_id:016x}")
    assert int(flags, 16) & 1, "sampled"
    assert with_anna.logged[-1] == f"{context.trace_id:032x}"


async def test_what_the_caller_does_not_sample_leaves_no_span_here_nor_there(
    with_anna: Traced,
) -> None:
    before = len(with_anna.spans.all)
    await with_anna.search("anna", traceparent=NOT_SAMPLED)
    assert len(with_anna.spans.all) == before
    (told,) = with_anna.told
    assert told is not None
    assert told.startswith(f"00-{CALLER_TRACE}-")
    assert told.endswith("-00")


async def test_a_request_that_the_ratio_leaves_out_is_left_out_in_inference_too() -> None:
    traced = Traced(Spans(sampler(0.0)))
    async with traced.client:
        await traced.search("anna")
    assert traced.spans.all == []
    (told,) = traced.told
    assert told is not None
    assert int(told.rpartition("-")[2], 16) & 1 == 0


@pytest.mark.parametrize("sent", ["", "nonsense", f"00-{'0' * 32}-{CALLER_SPAN}-01"])
async def test_a_trace_context_that_means_nothing_begins_a_trace(
    with_anna: Traced, sent: str
) -> None:
    await with_anna.search("anna", traceparent=sent)
    assert with_anna.spans.one("POST /search/").parent is None


async def test_what_the_caller_did_wrong_is_noted_and_no_error_of_the_server(
    traced: Traced,
) -> None:
    assert (await traced.search()).status_code == 422
    request = traced.spans.one("POST /search/")
    facts = facts_of(request)
    assert (facts["http.response.status_code"], facts["facesearch.code"]) == (
        422,
        "no_faces_detected",
    )
    assert request.status.status_code is StatusCode.UNSET


async def test_a_store_that_is_away_is_an_error_of_its_part_and_of_the_request(
    with_anna: Traced,
) -> None:
    with_anna.steps.before["search"] = failing(VectorsUnavailable("milvus:19530 refused"))
    assert (await with_anna.search("anna")).status_code == 503
    request = with_anna.spans.one("POST /search/")
    part = with_anna.spans.one("vectors.search")
    for span, kind in ((request, "vectors_unavailable"), (part, "VectorsUnavailable")):
        assert span.status.status_code is StatusCode.ERROR
        assert facts_of(span)["error.type"] == kind
        assert "milvus" not in span.to_json(), "messages are for the log"


async def test_a_request_that_is_refused_at_the_door_has_its_route(traced: Traced) -> None:
    await traced.client.get("/photos/p", headers={"X-Api-Key": "nobody's"})
    request = traced.spans.one("GET /photos/{photo_id}")
    assert facts_of(request)["facesearch.code"] == "unauthorized"


async def test_a_path_that_is_none_of_ours_names_no_span(traced: Traced) -> None:
    await traced.client.get("/somebody/elses")
    assert names(traced.spans.all) == ["GET"]


async def test_probes_leave_no_spans(traced: Traced) -> None:
    for path in ("/ping", "/livez", "/readyz", "/metrics"):
        await traced.client.get(path)
    assert traced.spans.all == []


async def test_no_span_tells_a_key_or_a_name(traced: Traced) -> None:
    named = {"X-Request-Id": "secret-request"}
    collection = "secret-collection"
    for method, path, files in (
        ("PUT", "/photos/secret-photo", form(photo_of("anna"), collection_id=collection)),
        ("PUT", "/photos/?photo_id=secret-photo", form(b"no image", collection_id=collection)),
        ("GET", f"/photos/secret-photo?collection_id={collection}", None),
        ("POST", "/search/", form(photo_of("anna", shot=1), collection_id=collection)),
        ("DELETE", "/photos/secret-photo", None),
    ):
        await traced.client.request(method, path, files=files, headers=named)
    told = "".join(span.to_json() for span in traced.spans.all)
    assert len(traced.spans.all) > 10
    for secret in ("secret-", KEY):
        assert secret not in told


async def test_outside_a_request_nothing_is_traced() -> None:
    edge = Traced()
    await traced_stores(edge.stores, edge.tracing).records.spaces()
    assert edge.spans.all == []
    await edge.client.aclose()


async def test_pages_pass_through_as_they_are(with_anna: Traced) -> None:
    stores = traced_stores(with_anna.stores, with_anna.tracing)
    pages = [page async for page in stores.records.live_revisions()]
    assert [revision.photo.photo_id for page in pages for revision in page] == ["p"]


@pytest.mark.parametrize(
    ("sent", "passed_on"),
    [(SAMPLED.encode(), SAMPLED), (b"nonsense", None), (b"00-\xe9-\x01", None), (b"", None)],
)
async def test_without_traces_of_our_own_the_callers_goes_on_to_inference_if_it_is_one(
    make_edge: MakeEdge, sent: bytes, passed_on: str | None
) -> None:
    told: list[str | None] = []

    async def listen() -> None:
        told.append(current_traceparent.get())

    edge = make_edge(faces=FakeFaceAnalyzer(on_analyze=listen))
    answer = await edge.client.post(
        "/search/", files=form(photo_of("anna")), headers=[(b"traceparent", sent)]
    )
    assert answer.status_code == 200
    assert told == [passed_on]
