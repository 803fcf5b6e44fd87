"""The spans of the server, made with OpenTelemetry. Imported only with INFERENCE_TRACING_URL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from inference.listener import SERVICE
from inference.tracing import UNTRACED, BatchRun, Metadata, Trace

_NANOSECONDS = 1_000_000_000
_HEADERS = frozenset({"traceparent", "tracestate"})
# What the server is to blame for, as the conventions for gRPC have it.
_FAULTS = frozenset(
    {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
_PROPAGATOR = TraceContextTextMapPropagator()  # holds nothing


class OtelTracing:
    """A Tracing over a provider of its own."""

    def __init__(self, provider: TracerProvider, version: str) -> None:
        self._tracer = provider.get_tracer("facesearch.inference", version)
        self.of_batches = self._ran

    def call(self, rpc: str, metadata: Metadata) -> Trace:
        sent = {
            name: value for name, value in metadata if name in _HEADERS and isinstance(value, str)
        }
        method = f"{SERVICE}/{rpc}"
        span = self._tracer.start_span(
            method,
            context=_PROPAGATOR.extract(sent, Context()),
            kind=SpanKind.SERVER,
            attributes={"rpc.system.name": "grpc", "rpc.method": method},
        )
        return SpanTrace(self._tracer, span) if span.is_recording() else UNTRACED

    def _ran(self, run: BatchRun) -> None:
        """One span for the run, in a trace of its own, linked with the spans of its items' photos.

        A run belongs to no request: it would hide in the trace of one, and be missed in the others.
        """
        photos: dict[int, tuple[Span, list[float]]] = {}
        for trace, waited in zip(run.traces, run.waits, strict=True):
            if isinstance(trace, SpanTrace):
                span = trace.span
                photos.setdefault(span.get_span_context().span_id, (span, []))[1].append(waited)
        if not photos:
            return
        ended_at = time.time_ns()
        batch = self._tracer.start_span(
            f"batch {run.queue}",
            context=Context(),
            links=[
                Link(
                    span.get_span_context(),
                    {"facesearch.items": len(waits), "facesearch.queue_seconds": max(waits)},
                )
                for span, waits in photos.values()
            ],
            start_time=ended_at - int(run.seconds * _NANOSECONDS),
            attributes={
                "facesearch.queue": run.queue,
                "facesearch.items": len(run.traces),
                "facesearch.padded_items": run.padded_size,
                "facesearch.failed_items": run.failed,
            },
        )
        batch.end(ended_at)
        for span, _ in photos.values():
            if span.is_recording():  # its caller may have gone meanwhile
                span.add_link(batch.get_span_context())


class SpanTrace:
    """A Trace that is a span."""

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self.span = span
        self._tracer = tracer
        self._context = set_span_in_context(span, Context())
        self._lap_from = time.time_ns()

    @property
    def trace_id(self) -> str:
        return f"{self.span.get_span_context().trace_id:032x}"

    @contextmanager
    def part(self, name: str) -> Iterator[SpanTrace]:
        part = SpanTrace(self._tracer, self._tracer.start_span(name, context=self._context))
        try:
            yield part
        except BaseException as error:
            # The name only: a message may hold what the caller sent.
            part.fail(type(error).__name__)
            raise
        finally:
            part.span.end()

    def lap(self, stage: str) -> None:
        now = time.time_ns()
        span = self._tracer.start_span(stage, context=self._context, start_time=self._lap_from)
        span.end(now)
        self._lap_from = now

    def note(self, name: str, value: str | float) -> None:
        self.span.set_attribute(name, value)

    def end(self, code: str) -> None:
        self.span.set_attribute("rpc.response.status_code", code)
        if code in _FAULTS:
            self.fail(code)
        self.span.end()

    def fail(self, kind: str) -> None:
        """Say that it did not work, and why in a word."""
        self.span.set_attribute("error.type", kind)
        self.span.set_status(StatusCode.ERROR)
