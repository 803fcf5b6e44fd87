"""Looks at the edge itself now and then, so that /metrics tells what nobody asked for."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from certificates.pem import CertificateFault, Side
from certificates.reading import read_identity
from edge.background_metrics import BackgroundMetrics
from edge.inference_tls import InferenceTls, inference_tls
from edge.outages import Outages
from edge.readiness import Readiness
from edge.settings import EdgeSettings
from storage.settings import StorageSettings

INTERVAL_SECONDS = 15.0
"""As often as Prometheus usually comes."""

Look = Callable[[], None]
"""Looks at one thing and writes down what it finds; may take its time. Raises OSError."""

_log = structlog.get_logger("edge.watch")


@asynccontextmanager
async def keeping_watch(
    readiness: Readiness, looks: Mapping[str, Look], *, interval_seconds: float = INTERVAL_SECONDS
) -> AsyncIterator[None]:
    """Asks for readiness while the block runs, and takes the looks, by what they look at.

    What readiness answers goes where it reports to.
    """
    task = asyncio.create_task(_watch(readiness, looks, interval_seconds), name="watch")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch(readiness: Readiness, looks: Mapping[str, Look], interval_seconds: float) -> None:
    outages = Outages(_log)
    while True:
        try:
            await readiness()
            for name, look in looks.items():
                await _take(look, name, outages)
        except Exception:  # noqa: BLE001  # outermost: one bug must not end the watch
            _log.exception("watch_failed")
        await asyncio.sleep(interval_seconds)


async def _take(look: Look, name: str, outages: Outages) -> None:
    try:
        # A file system over the network may keep whoever asks waiting.
        await asyncio.to_thread(look)
    except OSError as error:
        outages.away(name, "not_seen", what=name, cause=str(error))
    else:
        outages.back(name)


def looks_of(
    settings: EdgeSettings, storage: StorageSettings, metrics: BackgroundMetrics
) -> Mapping[str, Look]:
    """What there is to look at, as the settings say, by what it is."""
    looks: dict[str, Look] = {}
    if storage.needs_data_dir:
        looks["disk"] = disk_of(storage.data_dir, metrics)
    tls = inference_tls(settings)
    certificate = None if tls is None else certificate_of(tls, metrics)
    if certificate is not None:
        looks["certificate"] = certificate
    return looks


def disk_of(data_dir: Path, metrics: BackgroundMetrics) -> Look:
    """How full the disk of the data folder is."""

    def look() -> None:
        usage = shutil.disk_usage(data_dir)
        metrics.disk(usage.free, usage.total)

    return look


def certificate_of(tls: InferenceTls, metrics: BackgroundMetrics) -> Look | None:
    """When the edge's own certificate expires, as its file is now; None: it shows none."""
    certificate, key = tls.certificate, tls.key
    if certificate is None or key is None:
        return None

    def look() -> None:
        try:
            expires = read_identity(certificate, key, Side.CLIENT).expires.timestamp()
        except CertificateFault:
            expires = 0.0  # whoever uses the file says why
        metrics.certificate(expires)

    return look
