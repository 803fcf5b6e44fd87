"""The record of a run: one JSON line a report, and a plot of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

SPARSE_POINTS = 60
"""Fewer are marked one by one."""

Row = dict[str, float]


class History:
    """Rows of figures by step. After a kill, rows beyond the checkpoint are dropped on resuming."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def rows(self) -> list[Row]:
        """All rows, oldest first."""
        if not self._file.exists():
            return []
        lines = self._file.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.strip()]

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """Append one row."""
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": step, **figures}) + "\n")

    def rewind(self, step: int) -> None:
        """Forget rows after a step: they are about to happen again."""
        kept = [json.dumps(row) + "\n" for row in self.rows() if row["step"] <= step]
        if self._file.exists():
            self._file.write_text("".join(kept), encoding="utf-8")


def plot(rows: Sequence[Row], file: Path) -> None:
    """A small diagram for each figure of the rows, over steps."""
    names = sorted({name for row in rows for name in row} - {"step"})
    if not names:
        return
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(4.5 * columns, 2.8 * lines), layout="constrained")
    for place, name in enumerate(names, start=1):
        axes = figure.add_subplot(lines, columns, place)
        points = [(row["step"], row[name]) for row in rows if name in row]
        is_sparse = len(points) < SPARSE_POINTS
        axes.plot(*zip(*points, strict=True), linewidth=1, marker="." if is_sparse else "")
        axes.set_title(name, fontsize=9)
        axes.grid(visible=True, alpha=0.3)
    figure.savefig(file, dpi=90)
