"""What Locust counted: of the files that `--json-file` and our own `--failures-file` write."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError


class NoStats(Exception):
    """There is no file, it is of another form, or no request was sent."""


@dataclass(frozen=True, slots=True)
class LoadStats:
    """All requests of a run. Locust rounds what took 100 ms and more to two digits."""

    requests: int
    """Answered in whatever way, failures too."""
    failures: int
    mean_ms: float
    longest_ms: float
    milliseconds: dict[int, int]
    """How many requests took so long."""
    full_seconds: int
    """Whole seconds of the clock between the first second with an answer and the last."""
    rate: float
    """Answers a second in those."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why requests failed, and how many."""

    def percentile_ms(self, percent: float) -> int:
        """The smallest of the times that `percent` of all do not exceed (nearest rank)."""
        rank = max(1, math.ceil(round(percent / 100 * sum(self.milliseconds.values()), 9)))
        passed = 0
        for taken, count in sorted(self.milliseconds.items()):
            passed += count
            if passed >= rank:
                return taken
        return 0  # no request has a time


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore")

    num_requests: int
    num_none_requests: int
    num_failures: int
    total_response_time: float
    max_response_time: float
    response_times: dict[int, int]
    num_reqs_per_sec: dict[int, int]


_ENTRIES = TypeAdapter(list[_Entry])
_REASONS = TypeAdapter(dict[str, int])


def read_stats(file: Path, reasons_file: Path) -> LoadStats:
    """Of a run that sent one kind of request. Raises NoStats."""
    try:
        entries = _ENTRIES.validate_json(file.read_bytes())
        reasons = _REASONS.validate_json(reasons_file.read_bytes())
    except (OSError, ValidationError) as error:
        raise NoStats(f"no figures: {error}") from error
    if len(entries) != 1:
        raise NoStats(f"{len(entries)} kinds of requests in the figures, and one was sent")
    return _stats(entries[0], reasons)


def _stats(entry: _Entry, reasons: Mapping[str, int]) -> LoadStats:
    timed = entry.num_requests - entry.num_none_requests
    first, last = min(entry.num_reqs_per_sec, default=0), max(entry.num_reqs_per_sec, default=0)
    # The first and the last second are cut; one without an answer is in no entry, and counts.
    inner = max(0, last - first - 1)
    answered = sum(n for at, n in entry.num_reqs_per_sec.items() if first < at < last)
    return LoadStats(
        requests=entry.num_requests,
        failures=entry.num_failures,
        mean_ms=entry.total_response_time / timed if timed else 0.0,
        longest_ms=entry.max_response_time,
        milliseconds=entry.response_times,
        full_seconds=inner,
        rate=answered / inner if inner else 0.0,
        reasons=reasons,
    )
