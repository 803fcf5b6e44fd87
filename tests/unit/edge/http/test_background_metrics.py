"""What /metrics says of an edge beside its requests."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from certificates.pem import PemFile
from edge.backend import Backend
from edge.background import CHECK_JOB, background
from edge.inference_tls import InferenceTls
from edge.metrics import EdgeMetrics
from edge.problems import kinds
from edge.readiness import Readiness
from edge.use_cases.sweep import SweepReport
from edge.watch import certificate_of, disk_of, keeping_watch
from storage.errors import PhotosUnavailable
from storage.open import Stores
from storage.photos.memory import MemoryPhotoStore
from storage.records.memory import MemoryRecordStore
from storage.records.model import Job, JobState
from storage.vectors.memory import MemoryVectorStore
from tests.certificates import DAY, Authority
from tests.unit.edge.http.conftest import Edge, MakeEdge

JOB = Job("j-1", "check", {}, JobState.RUNNING, done=1, total=4)


@pytest.fixture
def metrics() -> EdgeMetrics:
    return EdgeMetrics()


def value(metrics: EdgeMetrics, name: str, **labels: str) -> float | None:
    """A sample of the page; None: it is not there."""
    return metrics.registry.get_sample_value(f"facesearch_edge_{name}", labels)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.001)


def readiness_of(backend: Backend, metrics: EdgeMetrics) -> Readiness:
    return Readiness(backend, report_to=metrics.background.ready, cache_seconds=0)


class UnsteadyPhotos(MemoryPhotoStore):
    """Photos that are away when a test says so."""

    is_away = False

    async def ping(self) -> None:
        if self.is_away:
            raise PhotosUnavailable("away")


async def test_what_is_away_shows_though_nobody_asks_for_readiness(
    make_edge: MakeEdge, metrics: EdgeMetrics
) -> None:
    photos = UnsteadyPhotos()
    edge = make_edge(stores=Stores(MemoryVectorStore(), MemoryRecordStore(), photos))
    readiness = readiness_of(edge.backend, metrics)
    assert value(metrics, "ready") == 0
    async with keeping_watch(readiness, {}, interval_seconds=0.001):
        await until(lambda: value(metrics, "ready") == 1)
        photos.is_away = True
        await until(lambda: value(metrics, "ready") == 0)
        assert value(metrics, "dependency_ready", dependency="photos") == 0
        assert value(metrics, "dependency_ready", dependency="records") == 1
        photos.is_away = False
        await until(lambda: value(metrics, "dependency_ready", dependency="photos") == 1)


async def test_the_disk_of_the_data_folder_shows_once_it_is_there(
    edge: Edge, metrics: EdgeMetrics, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    readiness = readiness_of(edge.backend, metrics)
    looks = {"disk": disk_of(folder, metrics.background)}
    async with keeping_watch(readiness, looks, interval_seconds=0.001):
        await until(lambda: value(metrics, "ready") == 1)
        assert value(metrics, "data_size_bytes") == 0
        folder.mkdir()
        await until(lambda: value(metrics, "data_size_bytes") != 0)
    free, size = value(metrics, "data_free_bytes"), value(metrics, "data_size_bytes")
    assert free is not None
    assert size is not None
    assert 0 < free < size


async def test_a_bug_does_not_end_the_watch() -> None:
    class Broken(Readiness):
        looks = 0

        async def __call__(self) -> None:  # type: ignore[override]  # it never answers
            self.looks += 1
            raise ZeroDivisionError

    broken = Broken(Backend())
    async with keeping_watch(broken, {}, interval_seconds=0.001):
        await until(lambda: broken.looks > 2)


def test_a_sweep_that_is_stopped_does_not_count_as_one_that_ended_well(
    metrics: EdgeMetrics,
) -> None:
    started = value(metrics, "last_sweep_timestamp_seconds")
    assert started is not None
    metrics.background.swept(SweepReport(expired=1, failure="VectorsUnavailable"))
    assert value(metrics, "last_sweep_timestamp_seconds") == started
    assert value(metrics, "sweeps_total", outcome="VectorsUnavailable") == 1
    metrics.background.swept(SweepReport(collected=3, orphans=2))
    ended = value(metrics, "last_sweep_timestamp_seconds")
    assert ended is not None
    assert ended > started
    assert value(metrics, "sweeps_total", outcome="done") == 1
    for action, revisions in (("expired", 1), ("collected", 3), ("orphans", 2)):
        assert value(metrics, "swept_revisions_total", action=action) == revisions


def test_a_job_is_followed_from_its_beginning_to_its_end(metrics: EdgeMetrics) -> None:
    metrics.background.expect_jobs(["check"])
    metrics.background.job(JOB)
    assert value(metrics, "jobs_running", kind="check") == 1
    assert value(metrics, "job_progress_ratio", kind="check") == 0.25
    assert value(metrics, "jobs_total", kind="check", state="failed") == 0
    metrics.background.job(dataclasses.replace(JOB, state=JobState.FAILED))
    assert value(metrics, "jobs_running", kind="check") == 0
    assert value(metrics, "jobs_total", kind="check", state="failed") == 1


async def test_jobs_that_the_edge_runs_are_counted(edge: Edge, metrics: EdgeMetrics) -> None:
    await edge.stores.records.add_job(CHECK_JOB, {})
    async with background(edge.backend.services, metrics.background):
        await until(lambda: value(metrics, "jobs_total", kind=CHECK_JOB, state="done") == 1)
    assert value(metrics, "jobs_running", kind=CHECK_JOB) == 0


def test_kinds_of_jobs_are_bounded(metrics: EdgeMetrics) -> None:
    metrics.background.expect_jobs(["check"])
    metrics.background.job(dataclasses.replace(JOB, kind="my birthday", state=JobState.FAILED))
    assert value(metrics, "jobs_total", kind="other", state="failed") == 1
    assert value(metrics, "jobs_total", kind="my birthday", state="failed") is None


def test_every_error_is_counted_from_zero(metrics: EdgeMetrics) -> None:
    assert {value(metrics, "errors_total", code=kind.code) for kind in kinds()} == {0}
    assert value(metrics, "refused_total", code="overloaded") == 0


def test_the_end_of_the_certificate_shows_and_follows_its_file(
    metrics: EdgeMetrics, tmp_path: Path
) -> None:
    authority = Authority("ours")
    issued = authority.issue(tmp_path, "edge", days=10)
    tls = InferenceTls(
        PemFile("CA", authority.write(tmp_path)),
        PemFile("CERT", issued.certificate),
        PemFile("KEY", issued.key),
    )
    look = certificate_of(tls, metrics.background)
    assert look is not None
    assert days_left(metrics) is None

    look()
    assert days_left(metrics) == pytest.approx(9, abs=0.1)
    authority.issue(tmp_path, "edge", days=100)
    look()
    assert days_left(metrics) == pytest.approx(99, abs=0.1)
    issued.certificate.write_text("no certificate")
    look()
    assert value(metrics, "certificate_expires_timestamp_seconds", side="client") == 0


def test_an_edge_that_shows_no_certificate_looks_at_none(
    metrics: EdgeMetrics, tmp_path: Path
) -> None:
    tls = InferenceTls(PemFile("CA", Authority("ours").write(tmp_path)))
    assert certificate_of(tls, metrics.background) is None


def days_left(metrics: EdgeMetrics) -> float | None:
    expires = value(metrics, "certificate_expires_timestamp_seconds", side="client")
    return None if expires is None else (expires - time.time()) / DAY.total_seconds()
