"""Prometheus metrics of the inference server. Labels are bounded: no ids, no file names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    start_http_server,
)

from inference.admission import Load
from inference.errors import StartError
from inference.pipeline.faces import Analysis
from telemetry.losses import LOSSES

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
FRACTIONS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)


class Metrics:
    """What the server counts, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def named(name: str) -> str:
            return f"facesearch_inference_{name}"

        stages = Histogram(
            named("stage_seconds"),
            "Time of one item in a stage, waiting included.",
            ["stage"],
            buckets=SECONDS,
            registry=self.registry,
        )
        # A look-up by label takes as long as the counting itself.
        self._decode_seconds = stages.labels("decode")
        self._detect_seconds = stages.labels("detect")
        self._align_seconds = stages.labels("align")
        self._embed_seconds = stages.labels("embed")
        self._call_seconds = Histogram(
            named("call_seconds"),
            "Time of one unary call.",
            ["rpc"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._calls = Counter(
            named("calls"), "Calls ended, by status.", ["rpc", "code"], registry=self.registry
        )
        self._items = Counter(
            named("items"),
            "Items answered: OK, or the reason of the error.",
            ["rpc", "reason"],
            registry=self.registry,
        )
        self._faces = Counter(named("faces"), "Faces returned.", registry=self.registry)
        self._items_in_flight = Gauge(
            named("items_in_flight"), "Items admitted and not answered.", registry=self.registry
        )
        self._bytes_in_flight = Gauge(
            named("bytes_in_flight"), "Their encoded bytes.", registry=self.registry
        )
        self._queue_items = Gauge(
            named("queue_items"), "Items that wait for a worker.", ["queue"], registry=self.registry
        )
        self._queue_seconds = Histogram(
            named("queue_seconds"),
            "How long an item waited for a worker.",
            ["queue"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._run_seconds = Histogram(
            named("run_seconds"),
            "Time of one run of a worker.",
            ["queue"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._batch_size = Histogram(
            named("batch_size"), "Items of a run.", ["queue"], buckets=SIZES, registry=self.registry
        )
        self._batch_fill = Histogram(
            named("batch_fill"),
            "Items of a run per row run, padding included.",
            ["queue"],
            buckets=FRACTIONS,
            registry=self.registry,
        )
        self._dropped = Counter(
            named("dropped"),
            "Items dropped before a stage because nobody waited any more.",
            ["queue", "reason"],
            registry=self.registry,
        )
        self._faults = Counter(
            named("runner_faults"),
            "Runs that failed; their session was made again.",
            ["queue"],
            registry=self.registry,
        )
        self._hangs = Counter(
            named("runner_hangs"),
            "Runs that did not end; their thread was left behind and replaced.",
            ["queue"],
            registry=self.registry,
        )
        self._spans_lost = Counter(
            named("spans_lost"),
            "Spans that no collector got: the queue was full, or it did not take them.",
            ["reason"],
            registry=self.registry,
        )
        for reason in LOSSES:
            self._spans_lost.labels(reason)
        self._model = Info(named("model"), "What is loaded.", registry=self.registry)
        ProcessCollector(registry=self.registry)

    def queue(self, name: str) -> QueueMetrics:
        """The observer of one batcher."""
        return QueueMetrics(
            self._queue_items.labels(name),
            self._queue_seconds.labels(name),
            self._run_seconds.labels(name),
            self._batch_size.labels(name),
            self._batch_fill.labels(name),
            {reason: self._dropped.labels(name, reason) for reason in ("deadline", "caller_gone")},
            self._faults.labels(name),
            self._hangs.labels(name),
        )

    def model(self, facts: dict[str, str]) -> None:
        """Say what is loaded."""
        self._model.info(facts)

    def certificate(self, expires: Callable[[], float]) -> None:
        """Say until when the certificate is valid; asked at every scrape, for it is renewed."""
        Gauge(
            "facesearch_inference_certificate_expires_timestamp_seconds",
            "When the certificate of the server expires; 0: its file is no good.",
            registry=self.registry,
        ).set_function(expires)

    def spans_lost(self, reason: str, spans: int) -> None:
        """Spans that no collector got."""
        self._spans_lost.labels(reason).inc(spans)

    def in_flight(self, held: Load) -> None:
        """Say what is admitted now."""
        self._items_in_flight.set(held.items)
        self._bytes_in_flight.set(held.size_bytes)

    def analysed(self, analysis: Analysis) -> None:
        """Count an image that went through all stages."""
        seconds = analysis.seconds
        self._decode_seconds.observe(seconds.decode)
        self._detect_seconds.observe(seconds.detect)
        if analysis.faces:
            self._align_seconds.observe(seconds.align)
        if any(face.embedding is not None for face in analysis.faces):
            self._embed_seconds.observe(seconds.embed)
        self._faces.inc(len(analysis.faces))

    def item(self, rpc: str, reason: str) -> None:
        """Count an item that was answered; reason "OK" or of its error."""
        self._items.labels(rpc, reason).inc()

    def call(self, rpc: str, code: str, seconds: float | None) -> None:
        """Count a call that ended; seconds: None for streams, whose length says nothing."""
        self._calls.labels(rpc, code).inc()
        if seconds is not None:
            self._call_seconds.labels(rpc).observe(seconds)


@dataclass(frozen=True, slots=True)
class QueueMetrics:
    """A BatchObserver that counts."""

    _length: Gauge
    _wait_seconds: Histogram
    _run_seconds: Histogram
    _size: Histogram
    _fill: Histogram
    _dropped: dict[str, Counter]
    _faults: Counter
    _hangs: Counter

    def queue_length(self, items: int) -> None:
        self._length.set(items)

    def ran(self, size: int, padded_size: int, waits: Sequence[float], seconds: float) -> None:
        for wait in waits:
            self._wait_seconds.observe(wait)
        self._run_seconds.observe(seconds)
        self._size.observe(size)
        self._fill.observe(size / padded_size)

    def dropped(self, reason: str) -> None:
        self._dropped[reason].inc()

    def faulted(self) -> None:
        self._faults.inc()

    def hung(self) -> None:
        self._hangs.inc()


class MetricsEndpoint:
    """Serves /metrics over HTTP for the length of a `with` block; port 0: does nothing."""

    def __init__(self, metrics: Metrics, host: str, port: int) -> None:
        self._metrics = metrics
        self._host = host
        self._port = port

    def __enter__(self) -> Self:
        self._server = self._thread = None
        if self._port:
            try:
                self._server, self._thread = start_http_server(
                    self._port, self._host, registry=self._metrics.registry
                )
            except OSError as error:
                raise StartError(
                    f"metrics cannot be served on {self._host}:{self._port} ({error.strerror}); "
                    "set INFERENCE_METRICS_PORT to a free port, or to 0 for none"
                ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
