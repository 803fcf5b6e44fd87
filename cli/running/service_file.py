"""`service.json` in the data folder: where the service that runs on it answers. Holds no key."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_NAME = "service.json"


@dataclass(frozen=True, slots=True)
class RunningService:
    """A service that somebody started on the folder."""

    url: str
    pid: int
    """Of `facesearch up`."""


@contextmanager
def announced(data_dir: Path, service: RunningService) -> Iterator[None]:
    """While inside, other commands find the service. Written whole or not at all."""
    path = data_dir / _NAME
    temporary = path.with_suffix(f".{service.pid}.tmp")
    temporary.write_text(json.dumps({"url": service.url, "pid": service.pid}) + "\n", "utf-8")
    temporary.replace(path)
    try:
        yield
    finally:
        if find_service(data_dir) == service:
            path.unlink(missing_ok=True)


def find_service(data_dir: Path) -> RunningService | None:
    """The service that runs on this folder; None if there is none, or it ended without a word."""
    try:
        fields = json.loads((data_dir / _NAME).read_text("utf-8"))
        service = RunningService(url=str(fields["url"]), pid=int(fields["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return service if _is_alive(service.pid) else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's, and there
    return True
