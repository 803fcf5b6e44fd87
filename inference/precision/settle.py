"""The verdict on a precision, reached once and kept."""

from __future__ import annotations

import hashlib
import json

import structlog

from inference.models.graphs import DetectorGraph, RecogniserGraph
from inference.precision.check import CHECK, Verdict, check_precision
from inference.sessions.kept import KeptFiles
from inference.sessions.session import SessionFactory

_log = structlog.get_logger("inference.precision")


def settle(
    graph: DetectorGraph | RecogniserGraph,
    exact: SessionFactory,
    hasty: SessionFactory,
    *,
    precision: str,
    about: tuple[str, ...],
    kept: KeptFiles | None,
) -> SessionFactory:
    """`hasty` if it finds what `exact` finds, else `exact`, and one line in the log says so.

    precision: of `hasty`, for the log. about: everything the verdict depends on besides the check:
    the network, the runtime, the CPU, the precision. kept: where verdicts come from and go to.
    Raises PackError, DeviceError and ModelFault if the network does not run in float32.
    """
    name = hashlib.sha256(repr((CHECK, about)).encode()).hexdigest() + ".verdict"
    verdict = None if kept is None else _parse(kept.read(name))
    if verdict is None:
        verdict = check_precision(graph, exact, hasty)
        _log.info(
            "precision_checked",
            network=graph.file.name,
            precision=precision,
            measured=verdict.measured,
        )
        if kept is not None:
            kept.write(name, json.dumps([verdict.is_close, verdict.measured]).encode())
    if verdict.is_close:
        return hasty
    _log.warning(
        "precision_refused",
        network=graph.file.name,
        precision=precision,
        measured=verdict.measured,
        consequence="it runs in f32, and slower",
    )
    return exact


def _parse(content: bytes | None) -> Verdict | None:
    """A kept verdict; None: there is none, or an older version wrote it otherwise."""
    try:
        match None if content is None else json.loads(content):
            case [bool(is_close), str(measured)]:
                return Verdict(is_close, measured)
            case _:
                return None
    except ValueError:
        return None
