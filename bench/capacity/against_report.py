"""The model against a report that `bench.load` wrote: nothing is started."""

from __future__ import annotations

import json
from pathlib import Path

from bench.capacity.comparison import (
    Comparison,
    Highest,
    Percentiles,
    predicted,
    predicted_highest,
)
from bench.capacity.one_machine import OneMachine
from bench.capacity.profile import Profile
from bench.kit.result import Result
from bench.load.criteria import CAPACITY, REFERENCE
from bench.report.report import Report

_SHARE = 0.96
"""Of the highest rate: beyond it, two runs at one rate differ by more than a model may."""
_SECONDS = 120.0
_STEP_SECONDS = 15.0
_RESOLUTION = 0.03


def compared_with(file: Path, profile: Profile) -> Comparison:
    """The load test of a report, rate by rate. Raises OSError, ValueError, StopIteration."""
    report = Report.from_json(json.loads(file.read_text("utf-8")))
    load = next(one for one in report.results if one.benchmark == "load")
    model = OneMachine(profile)
    highest = [
        Highest(
            criterion,
            _figure(load, f"highest rate with {criterion.name}"),
            predicted_highest(model, criterion, _STEP_SECONDS, _RESOLUTION),
        )
        for criterion in (CAPACITY, REFERENCE)
    ]
    measured = _measured(load, _SHARE * highest[0].measured)
    rates = [one.rate for one in measured]
    return Comparison(measured, predicted(model, rates, _SECONDS), highest)


def _figure(load: Result, name: str) -> float:
    return next(figure.value for figure in load.figures if figure.name == name)


def _measured(load: Result, up_to: float) -> list[Percentiles]:
    """Of every rate up to this one; the median where one was tried twice."""
    tables = [table for table in load.tables if table.title.startswith("/search/: every rate")]
    latency = next(table for table in load.tables if table.title.startswith("Latency"))
    rows = [row[:1] + row[2:5] for row in tables[0].rows]
    rows += [[row[1], *row[4:7]] for row in latency.rows if str(row[0]).startswith("/search/")]
    by_rate: dict[float, list[Percentiles]] = {}
    for row in rows:
        one = Percentiles(*(float(cell) for cell in row))
        if one.rate <= up_to:
            by_rate.setdefault(one.rate, []).append(one)
    return [Percentiles.median(by_rate[rate]) for rate in sorted(by_rate)]
