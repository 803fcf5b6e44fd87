"""What /metrics says of the edge beside its requests: readiness, sweeps, jobs, disk."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge

from edge import __version__
from edge.schemas.operations import ReadyAnswer
from edge.use_cases.sweep import SweepReport
from storage.records.model import Job, JobState

_ENDED = (JobState.DONE, JobState.FAILED)
_OTHER = "other"


class BackgroundMetrics:
    """Of several workers on one port, a gauge tells the worst of those that live, or their sum."""

    def __init__(self, registry: CollectorRegistry) -> None:
        started = Gauge(
            "facesearch_edge_start_time_seconds",
            "When it started, in seconds since 1970; of several workers the last one.",
            ("version",),
            multiprocess_mode="livemax",
            registry=registry,
        )
        started.labels(__version__).set_to_current_time()
        self._ready = Gauge(
            "facesearch_edge_ready",
            "1 if requests can be answered, as /readyz says; else 0.",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self._dependencies = Gauge(
            "facesearch_edge_dependency_ready",
            "1 if the edge can use what it needs; else 0.",
            ("dependency",),
            multiprocess_mode="livemin",
            registry=registry,
        )
        self._sweeps = Counter(
            "facesearch_edge_sweeps_total",
            "Sweeps of leftovers, by how they ended: done, or what stopped them.",
            ("outcome",),
            registry=registry,
        )
        self._sweeps.labels("done")
        self._swept = Counter(
            "facesearch_edge_swept_revisions_total",
            "Revisions of photos that a sweep expired, collected, or found without a record.",
            ("action",),
            registry=registry,
        )
        for action in ("expired", "collected", "orphans"):
            self._swept.labels(action)
        self._last_sweep = Gauge(
            "facesearch_edge_last_sweep_timestamp_seconds",
            "When a sweep last ended well; before the first one, when the edge started.",
            multiprocess_mode="max",
            registry=registry,
        )
        self._last_sweep.set_to_current_time()
        self._jobs = Counter(
            "facesearch_edge_jobs_total",
            "Jobs of commands that ended.",
            ("kind", "state"),
            registry=registry,
        )
        self._jobs_running = Gauge(
            "facesearch_edge_jobs_running",
            "Jobs of commands that are at work.",
            ("kind",),
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._progress = Gauge(
            "facesearch_edge_job_progress_ratio",
            "How far the last job of a kind is, from 0 to 1.",
            ("kind",),
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._free = Gauge(
            "facesearch_edge_data_free_bytes",
            "Room left on the disk of the data folder.",
            multiprocess_mode="livemin",
            registry=registry,
        )
        self._size = Gauge(
            "facesearch_edge_data_size_bytes",
            "Size of the disk of the data folder.",
            multiprocess_mode="livemin",
            registry=registry,
        )
        # A label only so that there is none before its end is known.
        self._certificate = Gauge(
            "facesearch_edge_certificate_expires_timestamp_seconds",
            "When the certificate that the edge shows expires; 0: its file is no good.",
            ("side",),
            multiprocess_mode="livemin",
            registry=registry,
        )
        self._kinds: frozenset[str] = frozenset()

    def ready(self, answer: ReadyAnswer) -> None:
        """What /readyz says now."""
        self._ready.set(answer.status == "ready")
        for name, dependency in answer.dependencies.items():
            self._dependencies.labels(name).set(dependency.state == "ok")

    def swept(self, report: SweepReport) -> None:
        """A sweep ended."""
        self._sweeps.labels(report.failure or "done").inc()
        self._swept.labels("expired").inc(report.expired)
        self._swept.labels("collected").inc(report.collected)
        self._swept.labels("orphans").inc(report.orphans)
        if report.failure is None:
            self._last_sweep.set_to_current_time()

    def expect_jobs(self, kinds: Iterable[str]) -> None:
        """The kinds of jobs that there are; any other is counted as "other"."""
        self._kinds = frozenset(kinds)
        for kind in (*self._kinds, _OTHER):
            self._jobs_running.labels(kind)
            self._progress.labels(kind)
            for state in _ENDED:
                self._jobs.labels(kind, str(state))

    def job(self, job: Job) -> None:
        """A job began, came further or ended."""
        kind = job.kind if job.kind in self._kinds else _OTHER
        self._jobs_running.labels(kind).set(job.state is JobState.RUNNING)
        self._progress.labels(kind).set(job.done / job.total if job.total else 0.0)
        if job.state in _ENDED:
            self._jobs.labels(kind, str(job.state)).inc()

    def disk(self, free_bytes: int, size_bytes: int) -> None:
        """How full the disk of the data folder is."""
        self._free.set(free_bytes)
        self._size.set(size_bytes)

    def certificate(self, expires: float) -> None:
        """When the certificate that the edge shows expires, in seconds since 1970."""
        self._certificate.labels("client").set(expires)
