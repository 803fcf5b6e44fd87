"""All benchmarks, one after the other, and one report: `python -m bench [--full] [--only NAME]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.kit.machine import machine
from bench.kit.result import Form, Result
from bench.kit.world import RESULTS, ROOT, end_on_sigterm
from bench.report.report import Failure, Report
from bench.report.write import write
from bench.run import run_benchmark

SHORT = (
    *("engine", "baseline", "decode", "start", "search", "ingest", "memory", "load"),
    *("mutations", "soak"),
)
# `rollout` needs HAProxy, which CI has not.
FULL = (*SHORT, "rollout", "early_stop", "levers", "recall", "capacity")

Run = Callable[[str, Form, Sequence[str]], Result | Failure]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser("python -m bench", description="Measure, and write a report.")
    made.add_argument("--full", action="store_true", help="the long forms, for the targets")
    made.add_argument(
        "--only", action="append", choices=FULL, help="this benchmark; may be given several times"
    )
    made.add_argument("--pack", type=Path, help="folder of a pack [the test data's]")
    made.add_argument("--photos", type=Path, help="folder of photos [the test data's]")
    made.add_argument("--results", type=Path, default=RESULTS, help="folder of the report")
    return made


def main(given: Sequence[str] | None = None, run: Run = run_benchmark) -> int:
    """Run them, report; 1 if one failed or a guarded figure is below half its target, else 0.

    given: the command line; None: the process's own. run: what runs one.
    """
    asked = parser().parse_args(given)
    form = Form.FULL if asked.full else Form.SHORT
    options = [
        part
        for option in ("pack", "photos")
        if (folder := getattr(asked, option)) is not None
        for part in (f"--{option}", str(folder.resolve()))
    ]
    date, before = datetime.now(UTC).date().isoformat(), machine(ROOT)
    results: list[Result] = []
    failures: list[Failure] = []
    for name in asked.only or (FULL if asked.full else SHORT):
        print(f"— {name}", flush=True)
        ended = run(name, form, options)
        if isinstance(ended, Failure):
            print(f"{name} failed:\n{ended.reason}", file=sys.stderr, flush=True)
            failures.append(ended)
        else:
            results.append(ended)
    report = Report(date, form, before, results, failures)
    print(f"report: {write(report, asked.results)}")
    for fault in report.faults:
        print(fault, file=sys.stderr)
    return 1 if report.faults else 0


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
