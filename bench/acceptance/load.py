"""The load test: Locust sends searches at a constant rate, once for each top_k."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.acceptance.findings import Findings
from bench.acceptance.locust_stats import LoadStats, NoStats, read_stats
from bench.kit.world import ROOT

PART = "Load"
_LOCUSTFILE = Path("bench", "locust", "locustfile.py")
_MARGIN_SECONDS = 120.0
"""For Locust to start and the last answers to come."""
_MIN_RATE = 0.99
_BORDERS = 2
"""Answers that may fall to either side of the first and the last full second."""
_LAST_CHARACTERS = 2_000


class LoadFailed(Exception):
    """Locust ended without figures. Carries its last lines."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked for."""

    rate: float
    """Searches a second."""
    seconds: float
    """For each top_k."""
    p95_ms: float | None = None
    """The longest 95th percentile that is accepted; None: it is reported."""
    p99_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where it is sent."""

    url: str
    key: str
    selfies: Path
    """Folder of .jpg."""
    collections: Sequence[str]


def run_load(target: Target, load: Load, top_k: int) -> LoadStats:
    """One run of Locust, in a process of its own. Raises LoadFailed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        stats, reasons = Path(folder) / "stats", Path(folder) / "failures.json"
        command = [
            *(sys.executable, "-m", "locust", "-f", str(_LOCUSTFILE), "--headless"),
            *("--only-summary", "--loglevel", "WARNING", "--host", target.url.rstrip("/")),
            *("--selfies", str(target.selfies), "--top-k", str(top_k)),
            *("--rate", f"{load.rate:g}", "--seconds", f"{load.seconds:g}"),
            *("--json-file", str(stats), "--failures-file", str(reasons)),
        ]
        for collection in target.collections:
            command += ["--collection", collection]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env=os.environ | {"FACESEARCH_API_KEY": target.key},
                capture_output=True,
                text=True,
                timeout=load.seconds + _MARGIN_SECONDS,
                check=False,  # it ends with 1 when a search failed, which the figures say too
            )
        except subprocess.TimeoutExpired as error:
            raise LoadFailed(f"Locust did not end within {error.timeout:g} s") from error
        said = (done.stdout + done.stderr)[-_LAST_CHARACTERS:]
        try:
            return read_stats(stats.with_suffix(".json"), reasons)
        except NoStats as error:
            raise LoadFailed(f"{error}; Locust said: {said}") from error


def judge_load(stats: LoadStats, load: Load, top_k: int, findings: Findings) -> None:
    """The lines of a run: its rate, its failures, and how long answers took."""
    name = f"top_k {top_k}"
    due = _MIN_RATE * load.rate * stats.full_seconds
    findings.rule(
        PART,
        f"{name}: searches a second, over {stats.full_seconds} s",
        f"at least {_MIN_RATE * load.rate:g}",
        f"{stats.rate:.1f}",
        passes=stats.full_seconds > 0 and stats.rate * stats.full_seconds + _BORDERS >= due,
    )
    findings.rule(
        PART,
        f"{name}: searches that failed",
        0,
        f"{stats.failures} of {stats.requests}{_why(stats.reasons)}",
        passes=stats.requests > 0 and not stats.failures,
    )
    findings.tell(PART, f"{name}: average", f"{stats.mean_ms:.1f} ms")
    for percent, limit in ((95, load.p95_ms), (99, load.p99_ms)):
        what, found = f"{name}: {percent}th percentile", stats.percentile_ms(percent)
        if limit is None:
            findings.tell(PART, what, f"{found} ms")
        else:
            findings.rule(PART, what, f"at most {limit:g} ms", f"{found} ms", passes=found <= limit)


def _why(reasons: Mapping[str, int]) -> str:
    said = [f"{reason}: {count}" for reason, count in sorted(reasons.items())]
    return f" ({', '.join(said)})" if said else ""
