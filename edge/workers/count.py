"""How many edge processes share the port."""

from __future__ import annotations

from typing import Literal

from edge.errors import StartRefused
from storage.settings import StorageSettings

_CORES_A_WORKER = 4
"""A search costs inference about four times the CPU it costs the edge (docs/performance.md)."""


def worker_count(asked: int | Literal["auto"], storage: StorageSettings, cores: int) -> int:
    """As asked; for "auto" what works here, with inference on the same `cores`.

    Raises StartRefused, one line that says what to do, where only one process can work.
    """
    if asked == "auto":
        return max(1, cores // _CORES_A_WORKER) if storage.only_one_process is None else 1
    if asked > 1 and storage.only_one_process is not None:
        raise StartRefused(
            f"EDGE_WORKERS is {asked}, but {storage.only_one_process}; or set EDGE_WORKERS=1"
        )
    return asked
