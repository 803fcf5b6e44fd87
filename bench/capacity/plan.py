"""Everything that docs/capacity.md says in figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.capacity import plan_scaling, plan_staff, plan_vectors
from bench.capacity.comparison import Comparison
from bench.capacity.drawing import draw_comparison, draw_memory, draw_step
from bench.capacity.kept import kept_comparison, kept_profiles
from bench.capacity.page import grid, write
from bench.capacity.prices import Prices
from bench.capacity.profile import Profile
from bench.kit.world import ROOT

PAGE = ROOT / "docs" / "capacity.md"
PLOTS = ROOT / "docs" / "capacity"

Say = Callable[[str], None]


class NoProfile(Exception):
    """There is no profile of mbf128, which the plan begins with, or a pack was not compared."""


def plan(prices: Prices, say: Say, *, is_written: bool) -> dict[str, str]:
    """The tables of the page by name. is_written: also into the page, with the plots beside it.

    Raises NoProfile, OSError, UnknownBlock.
    """
    profiles = kept_profiles()
    first = next((one for one in profiles if one.pack == "mbf128"), None)
    comparison, of_runs = kept_comparison("mbf128"), kept_comparison("starter")
    if first is None or comparison is None or of_runs is None:
        raise NoProfile("first: python -m bench.capacity validate, with mbf128 and with starter")
    found = plan_staff.rows(profiles, say)
    say("the autoscaler under a step")
    steps = plan_scaling.outcomes(first)
    blocks = {
        "model": _tables(comparison),
        "model-runs": _tables(of_runs),
        "services": _services(profiles),
        "staff": grid(plan_staff.table(found, prices)),
        "step": grid(plan_scaling.table(steps)),
        "memory-small": grid(plan_vectors.memory_table(128)),
        "memory-large": grid(plan_vectors.memory_table(512)),
        "times": grid(plan_vectors.time_table()),
    }
    if is_written:
        _draw(comparison, steps, PLOTS)
        write(PAGE, blocks)
    return blocks


def _tables(comparison: Comparison) -> str:
    return "\n\n".join(grid(table) for table in comparison.tables())


def _draw(comparison: Comparison, steps: list[plan_scaling.Outcome], folder: Path) -> None:
    draw_comparison(comparison, folder / "model.png")
    draw_step(steps[:2], folder / "step-100.png")
    draw_step(steps[2:], folder / "step-500.png")
    draw_memory(512, folder / "memory.png")


def _services(profiles: list[Profile]) -> str:
    """What a search takes of whom, of each measured pack."""
    lines = [
        "| pack | photo | inference besides | edge | in all | source |",
        "|---|---|---|---|---|---|",
    ]
    for one in profiles:
        parts = (one.photo_seconds, one.loop.seconds, one.edge.seconds)
        cells = [*(f"{seconds * 1000:.1f}" for seconds in (*parts, sum(parts)))]
        lines.append(f"| {one.pack} | " + " | ".join(cells) + f" | {one.source} |")
    return "\n".join(lines)
