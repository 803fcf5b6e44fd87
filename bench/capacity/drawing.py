"""Plots of the page, as small PNGs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.capacity.comparison import Comparison
from bench.capacity.plan_scaling import Outcome
from bench.capacity.vectors import FACES, GIB, INDEXES

_DPI = 90


def draw_comparison(comparison: Comparison, file: Path) -> None:
    """Percentiles of the model beside those that were measured."""
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    rates = [one.rate for one in comparison.measured]
    for place, (name, colour) in enumerate((("p50", "C0"), ("p95", "C1"), ("p99", "C3"))):
        real = [one.values[place] for one in comparison.measured]
        said = [one.values[place] for one in comparison.predicted]
        axes.plot(rates, real, "o-", color=colour, label=f"{name}, measured")
        axes.plot(rates, said, "x--", color=colour, label=f"{name}, model")
    axes.set(xlabel="searches a second", ylabel="ms from the moment due")
    axes.set_ylim(bottom=0)
    _finish(axes)
    _save(figure, file)


def draw_step(found: Sequence[Outcome], file: Path) -> None:
    """Pods, calls in flight, refusals and p99 over time."""
    figure = Figure(figsize=(7.5, 8.0), layout="constrained")
    panels: list[Axes] = list(figure.subplots(4, 1, sharex=True))
    for number, one in enumerate(found):
        colour, label = f"C{number}", one.case.name
        panels[0].step(*zip(*one.course.pods, strict=True), where="post", color=colour, label=label)
        panels[1].plot(*zip(*one.course.in_flight, strict=True), color=colour, label=label)
        panels[2].plot(*zip(*one.refusals(), strict=True), color=colour, label=label)
        panels[3].plot(*zip(*one.p99(), strict=True), color=colour, label=label)
    titles = ("inference pods", "calls in flight", "refused a second", "p99, ms")
    for axes, title in zip(panels, titles, strict=True):
        axes.set_ylabel(title)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel("seconds; the step is at 60")
    panels[0].legend(frameon=False, fontsize=8)
    _save(figure, file)


def draw_memory(dim: int, file: Path) -> None:
    """Memory of the vectors against their number."""
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    for index in INDEXES:
        faces = [number for number in FACES if number <= index.most_faces]
        sizes = [index.memory(number, dim) / GIB for number in faces]
        axes.loglog(faces, sizes, "o-", label=index.name)
    axes.set(xlabel="faces", ylabel=f"GiB, {dim} values a face")
    _finish(axes)
    _save(figure, file)


def _finish(axes: Axes) -> None:
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)


def _save(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # Without a date or a version: the same figures give the same file.
    figure.savefig(file, dpi=_DPI, metadata={"Software": None})
