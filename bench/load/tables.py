"""Tables and plots of the load test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.kit.latency import LATENCY_COLUMNS, Latencies
from bench.kit.result import Cell, Plot, Table
from bench.load.observed import OK, Observed
from bench.load.runs import Run

Runs = Mapping[str, Run]
"""By what a reader calls them."""


def latency_table(runs: Runs) -> Table:
    """What callers saw, from the moment each request was due."""
    rows: list[list[Cell]] = []
    for name, run in runs.items():
        observed = run.observed
        rows.append(
            [
                name,
                round(run.plan.rate, 1),
                observed.count,
                ", ".join(f"{status}: {count}" for status, count in observed.statuses().items()),
                *observed.latencies().row(),
                round(observed.share(OK) * observed.count / observed.seconds, 1),
            ]
        )
    return Table(
        "Latency from the moment a request was due, all requests (0: no answer)",
        ["run", "offered/s", "requests", "answers", *LATENCY_COLUMNS, "200s/s"],
        rows,
    )


def generator_table(runs: Runs) -> Table:
    """Whether the generator kept its times, and what it took of the machine."""
    rows: list[list[Cell]] = []
    for name, run in runs.items():
        observed, late = run.observed, run.observed.lateness()
        share = observed.generator_cpu_seconds / observed.seconds
        rows.append(
            [
                name,
                round(late.p50 * 1000, 2),
                round(late.p99 * 1000, 2),
                "late" if is_late(observed) else "in time",
                observed.connections,
                f"{share:.1%}",
            ]
        )
    return Table(
        "The load generator (its lateness is part of every latency above)",
        ["run", "late p50 ms", "late p99 ms", "", "connections", "of one core"],
        rows,
    )


_LATE_SECONDS = 0.005


def is_late(observed: Observed) -> bool:
    """Whether the generator itself spoils the figures: its p99 is beyond 5 ms."""
    return observed.lateness().p99 > _LATE_SECONDS


def cpu_table(runs: Runs) -> Table:
    """CPU of one request, by process."""
    processes = list(dict.fromkeys(name for run in runs.values() for name in run.cpu_per_request()))
    rows: list[list[Cell]] = []
    for name, run in runs.items():
        used = run.cpu_per_request()
        cells = [round(used[process], 2) if process in used else "" for process in processes]
        rows.append([name, *cells, round(sum(used.values()), 2)])
    return Table(
        "CPU of one request, ms (offered ones, refused or not)", ["run", *processes, "sum"], rows
    )


def steps_table(title: str, runs: Sequence[Run]) -> Table:
    """Every rate that was tried."""
    rows: list[list[Cell]] = [
        [
            round(run.plan.rate, 1),
            f"{run.observed.share(OK):.1%}",
            *run.observed.latencies().row(),
        ]
        for run in sorted(runs, key=lambda run: run.plan.rate)
    ]
    return Table(title, ["offered/s", "200", *LATENCY_COLUMNS], rows)


def steps_plot(title: str, runs: Sequence[Run]) -> Plot:
    """Throughput and tail against the offered rate."""
    ordered = sorted(runs, key=lambda run: run.plan.rate)
    latencies = [(run.plan.rate, run.observed.latencies()) for run in ordered]
    return Plot(
        title,
        "line",
        "offered, requests a second",
        "ms",
        {
            "p50": [(rate, one.p50 * 1000) for rate, one in latencies],
            "p95": [(rate, one.p95 * 1000) for rate, one in latencies],
            "p99": [(rate, one.p99 * 1000) for rate, one in latencies],
        },
    )


def throughput_plot(title: str, runs: Sequence[Run]) -> Plot:
    """Answers against the offered rate."""
    ordered = sorted(runs, key=lambda run: run.plan.rate)
    return Plot(
        title,
        "line",
        "offered, requests a second",
        "answers 200 a second",
        {
            "answered": [
                (run.plan.rate, run.observed.share(OK) * run.observed.count / run.observed.seconds)
                for run in ordered
            ],
            "offered": [(run.plan.rate, run.plan.rate) for run in ordered],
        },
    )


def cdf_plot(title: str, runs: Runs) -> Plot:
    """Latencies of all requests."""
    series = {name: run.observed.latencies().cdf() for name, run in runs.items()}
    return Plot(title, "cdf", "ms from the moment due", "fraction of requests", series)


def over_time_plot(title: str, observed: Observed) -> Plot:
    """Percentiles of each second, by when requests were due: whether the service keeps up."""
    taken = observed.done - observed.due
    second = observed.due.astype(int)
    found = [
        (float(number), Latencies.of(taken[second == number].tolist()))
        for number in np.unique(second)
    ]
    return Plot(
        title,
        "line",
        "s since the start",
        "ms from the moment due",
        {
            "p50": [(at, one.p50 * 1000) for at, one in found],
            "p95": [(at, one.p95 * 1000) for at, one in found],
            "max": [(at, one.longest * 1000) for at, one in found],
        },
    )
