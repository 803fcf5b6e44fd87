"""P5 and P10: what a search costs beside inference, and how its index grows.

    python -m bench.search [--full] [--checkout DIR] [--output FILE]

P5: a real edge over Milvus Lite and SQLite with 10,000 faces; inference is a stub that answers at
once (bench.search.stub). Selfies of 130 kB at a constant rate. P10: the index in memory alone, in a
process of its own for each size.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.kit.figures import Figure
from bench.kit.result import Form, Plot, Result, Table
from bench.kit.world import ROOT, World, main
from bench.search.growth import Growth
from bench.search.without_inference import measure_cost

SIZES = {Form.SHORT: (1_000, 10_000, 100_000), Form.FULL: (1_000, 10_000, 100_000, 1_000_000)}
# Twice the vectors (the store that keeps them, and the index), and what names them.
_BYTES_A_FACE = 6_000


def measure(form: Form, world: World) -> Result:
    """Both. Raises StartFailed, RequestFailed, CalledProcessError."""
    cost = measure_cost(form, world)
    sizes = [faces for faces in SIZES[form] if faces * _BYTES_A_FACE < _memory_bytes()]
    growth = [_grown(world, faces) for faces in sizes]
    return Result(
        benchmark="search",
        form=form,
        figures=[*cost.figures, *_figures(growth)],
        tables=[*cost.tables, _table(growth)],
        plots=[*cost.plots, _plot(growth)],
        details={"sizes_left_out": [n for n in SIZES[form] if n not in sizes]},
    )


def _grown(world: World, faces: int) -> Growth:
    """Measured in a new process, with one thread of BLAS, as the index uses one core."""
    checkout = world.checkout or ROOT
    path = os.pathsep.join(map(str, (checkout, checkout / "proto", ROOT)))
    ended = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("growth.py")), str(faces)],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=True,
    )
    return Growth(**json.loads(ended.stdout))


def _figures(growth: list[Growth]) -> list[Figure]:
    figures = []
    for size in growth:
        over = f"over {size.faces:,} faces"
        figures += [
            Figure("P10", f"recall@10 {over}", size.recall, "ratio", 1.0, is_guarded=True),
            Figure(
                "P10",
                f"p50 of a search {over} / (2 × reading the vectors + 1 ms)",
                size.p50_ms / size.bound_ms,
                "ratio",
                1.0,
                "lower",
                is_guarded=True,
            ),
        ]
        if size.faces >= 100_000:  # below that, what is not the vectors weighs too much
            name = f"memory of the index {over} / its vectors"
            figures.append(Figure("P10", name, size.memory, "ratio", 1.2, "lower", is_guarded=True))
    return figures


def _table(growth: list[Growth]) -> Table:
    return Table(
        "P10: the index in memory as the base grows",
        ["faces", "p50 ms", "p99 ms", "bound ms", "each of 32 at once, ms", "recall@10",
         "memory / vectors", "bandwidth GB/s", "read into memory s"],
        [
            [
                size.faces,
                round(size.p50_ms, 3),
                round(size.p99_ms, 3),
                round(size.bound_ms, 2),
                round(size.together_ms, 3),
                size.recall,
                round(size.memory, 3),
                round(size.bandwidth / 1e9, 1),
                round(size.fill_seconds, 2),
            ]
            for size in growth
        ],
    )  # fmt: skip


def _plot(growth: list[Growth]) -> Plot:
    return Plot(
        "P10: a search as the base grows",
        "line",
        "faces",
        "milliseconds",
        {
            "alone, p50": [(size.faces, size.p50_ms) for size in growth],
            "each of 32 at once": [(size.faces, size.together_ms) for size in growth],
            "2 × reading the vectors + 1 ms": [(size.faces, size.bound_ms) for size in growth],
        },
    )


def _memory_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


if __name__ == "__main__":
    main("search", "What a search costs beside inference, and as the base grows.", measure)
