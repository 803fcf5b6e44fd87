"""What /metrics says. Labels are bounded: routes, methods, codes and stages, never an id."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

from edge.background_metrics import BackgroundMetrics
from edge.facts import RequestFacts
from edge.problems import kinds
from telemetry.losses import LOSSES

MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_RESULTS = (0, 1, 2, 5, 10, 20, 50)
_METHODS = frozenset({"GET", "POST", "PUT", "DELETE"})
_SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
# Codes of requests that were turned away before any work was done.
_REFUSALS = frozenset({"unauthorized", "forbidden", "overloaded", "image_too_large"})


class EdgeMetrics:
    """The figures of one process, in a registry of their own.

    Workers on one port count in files of a folder that all of them read (PROMETHEUS_MULTIPROC_DIR,
    which prometheus_client reads too), because a scrape reaches one of them. Counters that alerts
    look at are there from the start: Prometheus sees no increase in a series that is born at 1.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "facesearch_edge_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ("route", "method", "status"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._stages = Histogram(
            "facesearch_edge_stage_seconds",
            "Time that a request waited for one of the parts behind the edge.",
            ("route", "stage"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._in_flight = Gauge(
            "facesearch_edge_requests_in_flight",
            "Requests that are being answered.",
            multiprocess_mode="livesum",
            registry=self.registry,
        )
        self._errors = Counter(
            "facesearch_edge_errors_total", "Errors by code.", ("code",), registry=self.registry
        )
        for kind in kinds():
            self._errors.labels(kind.code)
        self._refused = Counter(
            "facesearch_edge_refused_total",
            "Requests turned away before any work was done.",
            ("code",),
            registry=self.registry,
        )
        for code in _REFUSALS:
            self._refused.labels(code)
        self.photos_enrolled = Counter(
            "facesearch_edge_photos_enrolled_total",
            "Photos put into the base.",
            registry=self.registry,
        )
        self.faces_detected = Counter(
            "facesearch_edge_faces_detected_total",
            "Faces that /detect_faces/ answered with.",
            registry=self.registry,
        )
        self.faces_indexed = Counter(
            "facesearch_edge_faces_indexed_total",
            "Faces that became searchable.",
            registry=self.registry,
        )
        self.faces_of_low_quality = Counter(
            "facesearch_edge_faces_of_low_quality_total",
            "Faces below EDGE_MIN_QUALITY on photos that were put in, by what became of them.",
            ("policy",),
            registry=self.registry,
        )
        self._spans_lost = Counter(
            "facesearch_edge_spans_lost_total",
            "Spans that no collector got: the queue was full, or it did not take them.",
            ("reason",),
            registry=self.registry,
        )
        for reason in LOSSES:
            self._spans_lost.labels(reason)
        self.search_results = Histogram(
            "facesearch_edge_search_results",
            "Photos on a page of a search.",
            buckets=_RESULTS,
            registry=self.registry,
        )
        self.background = BackgroundMetrics(self.registry)
        if _SHARED_FOLDER not in os.environ:  # memory and CPU of one worker would be of no use
            ProcessCollector(registry=self.registry)

    def spans_lost(self, reason: str, spans: int) -> None:
        """Spans that no collector got."""
        self._spans_lost.labels(reason).inc(spans)

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Counts a request while it is answered."""
        with self._in_flight.track_inprogress():
            yield

    def request(
        self, route: str, method: str, status: int, seconds: float, facts: RequestFacts
    ) -> None:
        """One request, answered."""
        verb = method if method in _METHODS else "other"
        self._requests.labels(route, verb, str(status)).observe(seconds)
        for stage, took in facts.stage_seconds.items():
            self._stages.labels(route, stage).observe(took)
        if facts.code is not None:
            self._errors.labels(facts.code).inc()
            if facts.code in _REFUSALS:
                self._refused.labels(facts.code).inc()

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        if _SHARED_FOLDER not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # untyped there
        return generate_latest(together)
