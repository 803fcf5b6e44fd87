"""What inference servers write of each call: how long its stages took."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from bench.capacity.model.work import Photo


class PhotoLog:
    """Reads what is written from now on."""

    def __init__(self, logs: Sequence[Path]) -> None:
        """logs: JSON lines, one file a server."""
        self._begins = {log: log.stat().st_size for log in logs}

    def photos(self) -> list[Photo]:
        """Stages of every photo that was embedded since, in no certain order."""
        found = []
        for log, begin in self._begins.items():
            for line in log.read_bytes()[begin:].splitlines():
                photo = _photo(line)
                if photo is not None:
                    found.append(photo)
        return found


def _photo(line: bytes) -> Photo | None:
    """None: the line is about something else."""
    if b'"stages_ms"' not in line or not line.endswith(b"}"):
        return None
    stages = json.loads(line)["stages_ms"]
    if not stages.get("embed"):
        return None
    return Photo(*(stages[name] / 1000 for name in ("decode", "detect", "align", "embed")))
