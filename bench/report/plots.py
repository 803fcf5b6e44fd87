"""Plots of a report as small files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.kit.result import Plot

_MAX_POINTS_OF_SVG = 2_000
"""Beyond it a picture made of pixels is smaller."""
_SIZE_INCHES = (7.5, 4.0)
_SHADES = ("#e6550d", "#31a354", "#756bb1", "#8c6d31", "#d6616b", "#17becf", "#636363", "#bcbd22")
Points = Sequence[tuple[float, float]]


def draw(plot: Plot, stem: Path) -> Path:
    """Draw into `stem` with the suffix .svg, or .png if there are many points. Returns the file."""
    points = sum(map(len, plot.series.values()))
    file = stem.with_name(stem.name + (".svg" if points <= _MAX_POINTS_OF_SVG else ".png"))
    file.parent.mkdir(parents=True, exist_ok=True)
    # Text stays text, and the same plot gives the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "facesearch", "font.size": 9}):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = figure.subplots()
        for number, (name, line) in enumerate(plot.series.items()):
            _draw_series(axes, plot, number, name, line)
        for number, (name, stretches) in enumerate(plot.spans.items()):
            _shade(axes, _SHADES[number % len(_SHADES)], name, stretches)
        axes.set(title=plot.title, xlabel=plot.x_label, ylabel=plot.y_label)
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if plot.spans:
            # Beside the axes: there is too much of it to hide nothing within.
            axes.legend(frameon=False, fontsize=7, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        elif len(plot.series) > 1:
            axes.legend(frameon=False)
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)
    return file


def _shade(axes: Axes, colour: str, name: str, stretches: Points) -> None:
    for number, (start, end) in enumerate(stretches):
        # What lasts no time shows as a line.
        label = name if number == 0 else None
        axes.axvspan(start, end, color=colour, alpha=0.4, linewidth=1.2, label=label)


def _draw_series(axes: Axes, plot: Plot, number: int, name: str, line: Points) -> None:
    xs, ys = [x for x, _ in line], [y for _, y in line]
    match plot.kind:
        case "bar":
            width = 0.8 / len(plot.series)
            places = [place + number * width for place in range(len(xs))]
            axes.bar(places, ys, width, label=name)
            axes.set_xticks(
                [place - width / 2 + 0.4 for place in range(len(xs))], [f"{x:g}" for x in xs]
            )
        case "scatter":
            axes.scatter(xs, ys, s=4, linewidths=0, alpha=0.6, label=name)
        case "cdf":
            axes.step(xs, ys, where="post", label=name)
        case "line":
            axes.plot(xs, ys, marker="o" if len(xs) <= 30 else None, markersize=3, label=name)
