"""What is away is said at once, then once a minute, and not at every try."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

INTERVAL_SECONDS = 60.0


class Log(Protocol):
    """The part of a structlog logger that is used here."""

    def info(self, event: str, **fields: object) -> object: ...

    def warning(self, event: str, **fields: object) -> object: ...


@dataclass(slots=True)
class _Outage:
    since: float
    said: float
    unsaid: int = 0
    """Failures since the last line."""


class Outages:
    """Logs the outages of things that are tried every second or so.

    `now`: seconds of any clock that does not go back.
    """

    def __init__(
        self,
        log: Log,
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._interval_seconds = interval_seconds
        self._now = now
        self._open: dict[str, _Outage] = {}

    def away(self, name: str, event: str, **fields: object) -> None:
        """A try failed. `name` tells outages apart; the fields are those of the line."""
        now = self._now()
        outage = self._open.get(name)
        if outage is None:
            self._open[name] = _Outage(since=now, said=now)
            self._log.warning(event, **fields)
            return
        outage.unsaid += 1
        if now - outage.said < self._interval_seconds:
            return
        self._log.warning(
            event, **fields, again=outage.unsaid, for_seconds=round(now - outage.since)
        )
        outage.said, outage.unsaid = now, 0

    def back(self, name: str) -> None:
        """A try worked. Says so if the thing was away."""
        outage = self._open.pop(name, None)
        if outage is not None:
            away_seconds = round(self._now() - outage.since)
            self._log.info("back", dependency=name, away_seconds=away_seconds)
