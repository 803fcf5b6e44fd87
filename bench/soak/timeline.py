"""A soak over its time: what was answered, how long it took, what memory there was. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bench.kit.result import Plot
from bench.soak.journal import Journal, Verdict
from bench.soak.recovery import Happened
from bench.soak.supervised import Life

Points = list[tuple[float, float]]
_BUCKETS = 600
"""At most, so that a line stays a line."""
_NAMES = {
    Verdict.RIGHT: "right",
    Verdict.NO_ANSWER: "no answer",
    Verdict.WRONG: "wrong",
    Verdict.UNEXPECTED: "unexpected",
}
_MEGABYTE = 1e6


def plots(
    journal: Journal,
    begun: float,
    happened: Sequence[Happened],
    lives: Mapping[str, Sequence[Life]],
) -> list[Plot]:
    """Answers, waits and memory, the faults shaded in all of them.

    begun: when the load began. lives: of each process, by name.
    """
    spans: dict[str, Points] = {}
    for one in happened:
        stretch = (one.begun - begun, one.undone - begun)
        spans.setdefault(one.fault.kind, []).append(stretch)
    seconds = "s since the start"
    return [
        Plot(
            f"Answers by when they were due, {journal.rate:.0f} a second",
            "line",
            seconds,
            "a second",
            answers(journal, begun),
            spans,
        ),
        Plot("How long right answers took", "line", seconds, "ms", waits(journal, begun), spans),
        Plot("Resident memory", "line", seconds, "MB", memory(lives, begun), spans),
    ]


def answers(journal: Journal, begun: float) -> dict[str, Points]:
    """Answers a second of every kind that there was; refusals by their codes."""
    edges = _edges(journal, begun)
    width = edges[1] - edges[0]
    kinds = np.array(
        [
            _NAMES.get(Verdict(verdict), answer)
            for verdict, answer in zip(journal.verdict.tolist(), journal.answer, strict=True)
        ]
    )
    series: dict[str, Points] = {}
    for kind in sorted(set(kinds.tolist()), key=lambda name: (name != "right", name)):
        counts, _ = np.histogram(journal.due[kinds == kind] - begun, edges)
        series[kind] = [
            (float(at), float(count / width)) for at, count in zip(edges, counts, strict=False)
        ]
    return series


def waits(journal: Journal, begun: float) -> dict[str, Points]:
    """Percentiles of the right answers, in milliseconds from the moment each was due."""
    edges = _edges(journal, begun)
    is_right = journal.verdict == Verdict.RIGHT
    due = journal.due[is_right] - begun
    taken = (journal.done - journal.due)[is_right] * 1000
    place = np.searchsorted(edges, due, side="right") - 1
    series: dict[str, Points] = {"p50": [], "p99": []}
    for number in np.unique(place):
        values = taken[place == number]
        at = float(edges[number])
        series["p50"].append((at, float(np.percentile(values, 50))))
        series["p99"].append((at, float(np.percentile(values, 99))))
    return series


def memory(lives: Mapping[str, Sequence[Life]], begun: float) -> dict[str, Points]:
    """Megabytes of each process; nothing while it was away."""
    series: dict[str, Points] = {}
    for name, of_process in lives.items():
        samples = [sample for life in of_process for sample in life.samples]
        step = max(1, len(samples) // _BUCKETS)
        series[name] = [(at - begun, size / _MEGABYTE) for at, size in samples[::step]]
    return series


def _edges(journal: Journal, begun: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of buckets of whole seconds over the load, at least one."""
    seconds = max(1.0, float(journal.due[-1]) - begun) if len(journal) else 1.0
    width = max(1, int(-(-seconds // _BUCKETS)))
    count = int(seconds // width) + 1
    return np.arange(count + 1, dtype=np.float64) * width
