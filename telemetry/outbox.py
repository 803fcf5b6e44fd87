"""A bounded queue of spans before an exporter. Nobody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from telemetry.losses import NOT_TAKEN, QUEUE_FULL

OnLost = Callable[[str, int], None]
"""Told why spans were lost, in a word, and how many. On any thread."""

QUEUE_SPANS = 4096
"""Some 8 MB."""
SEND_SPANS = 512
SAY_SECONDS = 60.0

_log = structlog.get_logger("telemetry")


class Outbox(SpanProcessor):
    """Takes spans that ended; a thread of its own hands them to an exporter.

    What finds no room, and what the exporter does not get rid of, is lost, counted, and said in the
    log at once and then once a minute.
    """

    def __init__(
        self,
        exporter: SpanExporter,
        on_lost: OnLost,
        *,
        cause: Callable[[], str] = str,
        max_spans: int = QUEUE_SPANS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """cause: what the exporter said last. max_spans: that wait or are being sent."""
        self._on_lost = on_lost
        self._cause = cause
        self._max_spans = max_spans
        self._now = now
        self._lock = threading.Lock()
        self._held = 0
        self._unsaid = 0
        self._said_at = float("-inf")
        # Its own queue drops without a count, so it gets more room than it can need.
        self._sender = BatchSpanProcessor(
            _Watched(exporter, self._sent),
            max_queue_size=max_spans + SEND_SPANS,
            max_export_batch_size=min(SEND_SPANS, max_spans),
        )

    def on_end(self, span: ReadableSpan) -> None:
        with self._lock:
            has_room = self._held < self._max_spans
            self._held += has_room
        if has_room:
            self._sender.on_end(span)
        else:
            self._lost(QUEUE_FULL, 1)

    def shutdown(self) -> None:
        self._sender.shutdown()  # type: ignore[no-untyped-call]  # untyped there

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._sender.force_flush(timeout_millis)

    def _sent(self, spans: int, is_taken: bool) -> None:
        with self._lock:
            self._held -= spans
        if not is_taken:
            self._lost(NOT_TAKEN, spans)

    def _lost(self, reason: str, spans: int) -> None:
        self._on_lost(reason, spans)
        with self._lock:
            self._unsaid += spans
            unsaid, now = self._unsaid, self._now()
            if now - self._said_at < SAY_SECONDS:
                return
            self._said_at, self._unsaid = now, 0
        _log.warning("spans_lost", reason=reason, spans=unsaid, cause=self._cause())


class _Watched(SpanExporter):
    """Tells what became of the spans of another exporter."""

    def __init__(self, inner: SpanExporter, sent: Callable[[int, bool], None]) -> None:
        self._inner = inner
        self._sent = sent

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._inner.export(spans)
        finally:
            self._sent(len(spans), result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)
