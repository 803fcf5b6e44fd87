"""A profile from a report of `bench.load --full`, where no other measurement is at hand.

A report holds means and the spread of whole requests, so the stages of a photo are spread alike.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from bench.capacity.model.work import Part, Photo
from bench.capacity.profile import (
    CLIENT_WAKES,
    EDGE_WAKES,
    LOOP_WAKES,
    Background,
    Profile,
    Resident,
)
from bench.kit.result import Form, Result, Table
from bench.report.report import Report

_QUIET, _BUSY = "/search/ at 10/s", "/search/ at 100/s"
_BUDGET, _CPU = "Where the time of one search goes", "CPU of one request"
_LATENESS = (0.0004, 0.0014)
"""Of the generator's timers, which know milliseconds: even between these, when nothing waits."""


_MOST_OF_INFERENCE = 0.95
"""What photos take of an inference server's CPU at most: gRPC and the event loop take some."""


class NoLoadReport(Exception):
    """The file holds no long load test."""


@dataclass(frozen=True, slots=True)
class _Means:
    """Milliseconds of a run at one rate."""

    rate: float
    cpu: dict[str, float]
    stages: dict[str, float]


def profile_of(file: Path, pack: str) -> Profile:
    """Raises OSError, ValueError, NoLoadReport."""
    report = Report.from_json(json.loads(file.read_text("utf-8")))
    load = next(
        (one for one in report.results if (one.benchmark, one.form) == ("load", Form.FULL)), None
    )
    if load is None:
        raise NoLoadReport(f"{file} holds no run of `python -m bench.load --full`")
    quiet, busy = _means(load, 10.0, _QUIET, "10/s, ms"), _means(load, 100.0, _BUSY, "100/s, ms")
    cpu = {name: _line(quiet, busy, name) for name in busy.cpu}
    waits = [value for value, _ in _waits(load)]
    mean_wait = sum(waits) / len(waits)
    stages = [quiet.stages[name] for name in ("decode", "detect", "align", "embed one face")]
    inference, at_rest = cpu["inference"]
    # While nothing waits, a stage takes as long as its CPU.
    of_photo = min(_MOST_OF_INFERENCE, sum(stages) / inference)
    photos = [_photo(stages, (sum(stages) + wait - mean_wait) / sum(stages)) for wait in waits]
    servers = int(str(report.machine["cores"]))
    own = sum(each for name, (each, _) in cpu.items() if name != "sum")
    late = sum(_LATENESS) / 2
    resident = load.details["resident MB"]
    if not isinstance(resident, dict):
        raise NoLoadReport(f"{file} does not say how much memory the processes took")
    return Profile(
        pack=pack,
        source=f"{file.name}: means and spread of `python -m bench.load --full`",
        machine={"cpu": report.machine["cpu"], "cores": servers},
        cores=servers,
        servers=servers,
        photos=photos,
        photo_seconds=inference * of_photo / 1000,
        client=Part(cpu["client"][0] / 1000, CLIENT_WAKES),
        edge=Part(cpu["edge"][0] / 1000, EDGE_WAKES),
        loop=Part(inference * (1 - of_photo) / 1000, LOOP_WAKES),
        background=Background(cpu["edge"][1] / 1000, at_rest / 1000 / servers),
        pauses=max(0.0, (mean_wait - own) / 1000 - late),
        lateness=[_LATENESS[0] + n / 99 * (_LATENESS[1] - _LATENESS[0]) for n in range(100)],
        shared_speed=1.0,
        resident=Resident(
            edge=int(float(str(resident["edge"])) * 1e6),
            inference=int(float(str(resident["inference"])) * 1e6 / servers),
        ),
    )


def _line(quiet: _Means, busy: _Means, name: str) -> tuple[float, float]:
    """Milliseconds a request and milliseconds a second at rest, from CPU at two rates."""
    low, high = quiet.cpu[name] * quiet.rate, busy.cpu[name] * busy.rate
    each = (high - low) / (busy.rate - quiet.rate)
    return each, max(0.0, low - each * quiet.rate)


def _photo(stages: list[float], factor: float) -> Photo:
    factor = max(0.1, factor)
    return Photo(*(stage * factor / 1000 for stage in stages))


def _means(load: Result, rate: float, run: str, column: str) -> _Means:
    budget, cpu = _table(load, _BUDGET), _table(load, _CPU)
    row = next(row for row in cpu.rows if row[0] == run)
    place = budget.columns.index(column)
    return _Means(
        rate,
        {name: float(cell) for name, cell in zip(cpu.columns[1:], row[1:], strict=True)},
        {str(line[0]): float(line[place]) for line in budget.rows},
    )


def _table(load: Result, title: str) -> Table:
    return next(table for table in load.tables if table.title.startswith(title))


def _waits(load: Result) -> list[tuple[float, float]]:
    plot = next(one for one in load.plots if one.title == "/search/: how long callers wait")
    return plot.series["10/s"]
