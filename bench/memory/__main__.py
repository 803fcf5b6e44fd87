"""Memory over 20,000 photos of mixed sizes and 20,000 searches.

    python -m bench.memory [--full]

Inference analyses photos, an edge answers searches; the resident memory of each is sampled on the
way. What a process takes while it warms up is not growth: only what comes after the first 2,000
counts (in the short form after the first third). The edge is measured over a Milvus URL, and over
Milvus Lite, whose engine and vectors are in the same process.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from bench.kit.facesearch import put_photos
from bench.kit.figures import Figure
from bench.kit.photos import mixed, selfies, single_face
from bench.kit.processes import Service, start_edge, start_inference
from bench.kit.result import Form, Plot, Result, Table
from bench.kit.world import World, main
from bench.memory.milvus import milvus
from bench.memory.series import MEGABYTE, MemorySeries
from bench.memory.work import analyze_many, search_many

NAME = "memory"
MAX_GROWTH_PERCENT = 2.0
MAX_INFERENCE_MEGABYTES = 500.0
MAX_EDGE_MEGABYTES = 250.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    photos: int
    """Through `Analyze`."""
    searches: int
    warm_up: int
    """Of each, before growth counts."""
    searches_over_lite: int
    sets: tuple[int, int]
    """Different photos and selfies that these are made of."""
    is_guarded: bool
    """A few hundred photos say little about growth: what warms up late looks the same."""


_PLANS = {
    Form.SHORT: Plan(240, 400, 100, 200, (40, 30), is_guarded=False),
    Form.FULL: Plan(20_000, 20_000, 2_000, 5_000, (400, 200), is_guarded=True),
}


def measure(form: Form, world: World) -> Result:
    """First photos, then searches over both kinds of vector store."""
    plan = _PLANS[form]
    photos = mixed(plan.sets[0], folder=world.photos)
    with ExitStack() as stack:
        inference = stack.enter_context(start_inference(world))
        at_start = inference.rss_bytes()
        analyzing = analyze_many(inference, photos, plan.photos)
        faces = single_face(inference, selfies(plan.sets[1], folder=world.photos))
        with milvus(world) as url, start_edge(world, inference, STORAGE_VECTORS_URL=url) as edge:
            over_milvus = _searched(edge, "edge over a Milvus URL", faces, plan.searches)
        with start_edge(world, inference) as edge:
            over_lite = _searched(edge, "edge over Lite", faces, plan.searches_over_lite)
    figures = [
        _growth(analyzing, plan, "photos"),
        _growth(over_milvus, plan, "searches"),
        _peak(
            "inference, highest above its start",
            analyzing.highest_bytes - at_start,
            MAX_INFERENCE_MEGABYTES,
        ),
        _peak("edge over a Milvus URL, highest", over_milvus.highest_bytes, MAX_EDGE_MEGABYTES),
        _peak("edge over Lite, highest", over_lite.highest_bytes, None),
    ]
    series = [analyzing, over_milvus, over_lite]
    return Result(NAME, form, figures, [_table(series)], _plots(series))


def _searched(edge: Service, name: str, photos: list[bytes], count: int) -> MemorySeries:
    put_photos(edge, photos, "enrolled")
    return search_many(edge, name, photos, count)


def _growth(series: MemorySeries, plan: Plan, what: str) -> Figure:
    return Figure(
        id="P6",
        name=f"{series.name}: growth after the first {plan.warm_up:,} {what}",
        value=series.growth(plan.warm_up) * 100,
        unit="%",
        target=MAX_GROWTH_PERCENT,
        better="lower",
        is_guarded=plan.is_guarded,
    )


def _peak(name: str, resident_bytes: int, target: float | None) -> Figure:
    return Figure("P6", name, resident_bytes / MEGABYTE, "MB", target, "lower")


def _table(series: list[MemorySeries]) -> Table:
    rows: list[list[str | float | int]] = []
    for one in series:
        (_, first), (done, last) = one.samples[0], one.samples[-1]
        levels = (first, last, one.highest_bytes)
        rows.append([one.name, done, *(round(level / MEGABYTE, 1) for level in levels)])
    return Table(
        "Resident memory", ["process", "requests", "at first MB", "at last MB", "highest MB"], rows
    )


def _plots(series: list[MemorySeries]) -> list[Plot]:
    return [
        Plot(
            f"Memory of {one.name}",
            "line",
            "photos" if one.name == "inference" else "searches",
            "megabytes",
            {one.name: one.points()},
        )
        for one in series
    ]


if __name__ == "__main__":
    main(NAME, "Memory over many photos and searches.", measure)
