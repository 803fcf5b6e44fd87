"""The spans of the edge, made with OpenTelemetry. Imported only where EDGE_TRACING_URL is set.

Attributes say what kind of request it was and how it ended. They never hold a key, an image, an id
of a photo, a collection or a request (callers choose those), a path or a query (ids are in them).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import Span, SpanContext, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from edge.deadline import current_traceparent

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"})
_PROPAGATOR = TraceContextTextMapPropagator()  # holds nothing


def sampler(ratio: float) -> Sampler:
    """What the caller decides; this share of the requests whose callers decide nothing."""
    return ParentBased(TraceIdRatioBased(ratio))


class OtelTracing:
    """A Tracing over a provider of its own.

    Not the global one: FastAPI would add its own spans to that, with paths and queries in them.
    """

    def __init__(self, provider: TracerProvider, version: str) -> None:
        self._tracer = provider.get_tracer("facesearch.edge", version)

    @contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Iterator[OtelRequest]:
        verb = method if method in _METHODS else "_OTHER"
        span = self._tracer.start_span(
            "HTTP" if verb == "_OTHER" else verb,
            context=_PROPAGATOR.extract(headers),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": verb},
        )
        with _running(span):
            yield OtelRequest(span, verb)

    @contextmanager
    def part(self, name: str, *, is_remote: bool = False) -> Iterator[None]:
        if not trace.get_current_span().is_recording():
            yield  # not sampled, or no request: the sweep, a job
            return
        kind = SpanKind.CLIENT if is_remote else SpanKind.INTERNAL
        with _running(self._tracer.start_span(name, kind=kind)):
            yield


class OtelRequest:
    """A RequestTrace."""

    def __init__(self, span: Span, verb: str) -> None:
        self._span = span
        self._verb = verb

    @property
    def trace_id(self) -> str:
        return f"{self._span.get_span_context().trace_id:032x}"

    def answered(self, *, route: str | None, status: int, code: str | None) -> None:
        span = self._span
        span.set_attribute("http.response.status_code", status)
        if route is not None:
            verb = "HTTP" if self._verb == "_OTHER" else self._verb
            span.update_name(f"{verb} {route}")
            span.set_attribute("http.route", route)
        if code is not None:
            span.set_attribute("facesearch.code", code)
        if status >= 500:  # what the caller did wrong is no error of the server
            _fail(span, code or str(status))


@contextmanager
def _running(span: Span) -> Iterator[None]:
    """What begins inside is its child, here and behind `current_traceparent`; ended at the end."""
    token = current_traceparent.set(_traceparent(span.get_span_context()))
    try:
        with trace.use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            try:
                yield
            except BaseException as error:
                # The name only: a message may hold an id.
                _fail(span, type(error).__name__)
                raise
    finally:
        current_traceparent.reset(token)


def _fail(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)


def _traceparent(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"
