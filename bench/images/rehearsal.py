"""Both services in their roots, without a network: start, search, stop, start again, find again."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench.images.checks import Check, process_checks, writable_check
from bench.images.container import Container, running
from bench.images.image import Image
from bench.images.jail import Bind
from bench.images.search import Case, Edge

_EDGE_URL = "http://127.0.0.1:8000"
_STOP_SECONDS = 45.0
"""As stop_grace_period of compose.yaml."""
_REFUSE_SECONDS = 60.0
_START_REFUSED = 2
_MODELS = PurePosixPath("/mnt")
"""A folder that Debian has, for a pack that is not in the image."""
_RIGHT_SHARE = 0.9
"""Of the searches, how many must find the right person: a small pack errs now and then."""
_WRITABLE = {"/dev/shm", "/tmp"}  # noqa: S108  # of the container


@dataclass(frozen=True, slots=True)
class Stage:
    """What the services are started with."""

    edge: Image
    inference: Image
    data: Path
    """The folder that /data is."""
    pack: Path | None
    """Folder of a pack to show inside; None: the one of the image."""
    cases: Sequence[Case]
    logs: Path


def rehearse(stage: Stage) -> Iterator[tuple[str, Check]]:
    """Checks of the running services, by image. Raises ContainerFailed, SearchFailed.

    Ports are the images' own, so this belongs into a network of its own.
    """
    os.chown(stage.data, stage.edge.user.uid, stage.edge.user.gid)
    stage.data.chmod(0o700)
    key = secrets.token_hex(24)
    with _inference(stage) as inference:
        began = time.monotonic()
        inference.until_healthy()
        yield "inference", _took("it becomes healthy", began)
        for check in process_checks(inference, stage.inference):
            yield "inference", check
        yield "inference", writable_check(inference, _WRITABLE)
        with _edge(stage, key, "first") as edge:
            began = time.monotonic()
            edge.until_healthy()
            yield "edge", _took("it becomes healthy", began)
            for check in process_checks(edge, stage.edge):
                yield "edge", check
            yield "edge", writable_check(edge, _WRITABLE | {"/data"})
            enrolled = _enrol(stage.cases, key)
            yield "edge", _searches("it finds people by another picture", enrolled, key)
            yield "edge", _stops(edge)
        with _edge(stage, key, "second") as edge:
            edge.until_healthy()
            yield "edge", _searches("started again, it finds them still", enrolled, key)
            yield "edge", _stops(edge)
        yield "inference", _stops(inference)


def refusal(image: Image, logs: Path) -> Check:
    """That the GPU image says in words that there is no GPU. Raises ContainerFailed."""
    with running(image, {}, (), logs / "inference-gpu.log") as container:
        ended = container.ended(_REFUSE_SECONDS)
    lines = ended.output.splitlines()
    return Check(
        "without a GPU it refuses to start",
        ended.code == _START_REFUSED and "cuda:0" in lines[-1],
        f"exit code {ended.code}: {lines[-1] if lines else 'nothing was said'}",
    )


@contextmanager
def _inference(stage: Stage) -> Iterator[Container]:
    binds = () if stage.pack is None else (Bind(stage.pack, _MODELS),)
    environment = {} if stage.pack is None else {"INFERENCE_PACK": str(_MODELS)}
    log = stage.logs / "inference.log"
    with running(stage.inference, environment, binds, log) as container:
        yield container


@contextmanager
def _edge(stage: Stage, key: str, name: str) -> Iterator[Container]:
    environment = {"API_KEY": key, "EDGE_SEARCH_FACES": "largest"}
    volume = Bind(stage.data, PurePosixPath("/data"), is_writable=True)
    log = stage.logs / f"edge-{name}.log"
    with running(stage.edge, environment, (volume,), log) as container:
        yield container


def _enrol(cases: Sequence[Case], key: str) -> list[Case]:
    edge = Edge(_EDGE_URL, key)
    try:
        return [case for case in cases if edge.enrol(case)]
    finally:
        edge.close()


def _searches(claim: str, cases: Sequence[Case], key: str) -> Check:
    edge = Edge(_EDGE_URL, key)
    try:
        right = sum(edge.finds(case) for case in cases)
    finally:
        edge.close()
    is_good = bool(cases) and right >= _RIGHT_SHARE * len(cases)
    return Check(claim, is_good, f"{right} of {len(cases)} first in their search")


def _stops(container: Container) -> Check:
    began = time.monotonic()
    code = container.stop(_STOP_SECONDS)
    took = time.monotonic() - began
    return Check(
        "it ends in order on its stop signal", code == 0, f"exit code {code}, {took:.1f} s"
    )


def _took(claim: str, began: float) -> Check:
    return Check(claim, is_true=True, found=f"after {time.monotonic() - began:.1f} s")
