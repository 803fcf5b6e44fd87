"""Inference as `python -m inference` runs it, but its sessions break when a test says so.

A file in the folder FAULTS is one fault: the next run of a session takes it away and does what its
name begins with: `memory` (the runtime is out of it), `nan` or `hang`. The rest of the name tells
several of one kind apart.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.__main__ import main
from inference.errors import ModelFault
from inference.models.pack import Pack
from inference.runtimes import PackSessions, open_sessions
from inference.sessions.session import Session, SessionFactory, TensorInfo
from inference.settings import Settings


class BreakingSession:
    """A real session that looks for a fault before each run."""

    def __init__(self, inner: Session, faults: Path) -> None:
        self._inner = inner
        self._faults = faults

    @property
    def inputs(self) -> Sequence[TensorInfo]:
        return self._inner.inputs

    @property
    def outputs(self) -> Sequence[TensorInfo]:
        return self._inner.outputs

    @property
    def runtime(self) -> str:
        return self._inner.runtime

    @property
    def providers(self) -> Sequence[str]:
        return self._inner.providers

    @property
    def device(self) -> str:
        return self._inner.device

    def run(self, feeds: Mapping[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        match self._fault():
            case "memory":
                raise ModelFault("Failed to allocate memory for requested buffer")
            case "hang":
                threading.Event().wait()
            case "nan":
                return [np.full_like(rows, np.nan) for rows in self._inner.run(feeds)]
        return self._inner.run(feeds)

    def _fault(self) -> str:
        for file in sorted(self._faults.iterdir()):
            with suppress(FileNotFoundError):  # another session took it
                file.unlink()
                return file.name.split("-")[0]
        return ""


def breaking_sessions(pack: Pack, settings: Settings) -> PackSessions:
    """The real ones, each behind the faults."""
    faults = Path(os.environ["FAULTS"])
    opened = open_sessions(pack, settings)

    def breaking(factory: SessionFactory) -> SessionFactory:
        return lambda: BreakingSession(factory(), faults)

    return PackSessions(breaking(opened.detector), breaking(opened.recogniser), opened.may_batch)


if __name__ == "__main__":
    sys.exit(main(breaking_sessions))
