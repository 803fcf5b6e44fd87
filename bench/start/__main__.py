"""P9: from the start of a process until it serves, with everything in the file cache.

    python -m bench.start [--full] [--pack DIR] [--checkout DIR]

Inference until it says "serving"; an edge until /readyz answers 200, on a new data folder and on
one with 10,000 faces in Milvus Lite. The edge's inference is a stub, so that nothing but its own
start is timed. A round before those that count fills the caches, as the first start on a machine
does: of files, of compiled models, and of bytecode, which goes to a folder of the benchmark
because PYTHONDONTWRITEBYTECODE may be set here.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
from pathlib import Path

from bench.kit.child import Setting
from bench.kit.figures import Figure
from bench.kit.processes import start_inference
from bench.kit.result import Form, Result, Table
from bench.kit.world import World, main
from bench.search.filled import fill, stub
from bench.start.edge_start import EdgeStart, start_once

ROUNDS = {Form.SHORT: 5, Form.FULL: 9}
FACES = 10_000
INFERENCE_TARGET_SECONDS = {"starter": 2.0, "mbf128": 3.0}
"""By the name of a pack's folder; of others the time is reported and not judged."""
EMPTY_TARGET_SECONDS = 4.0
FILLED_TARGET_SECONDS = 6.0


def measure(form: Form, world: World) -> Result:
    """Medians over rounds in which each is started once."""
    inference: list[float] = []
    empty: list[EdgeStart] = []
    filled: list[EdgeStart] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, stub(world) as inference_stub:
        at = Path(folder)
        target = inference_stub.target
        bytecode: dict[str, Setting] = {
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": at / "bytecode",
        }
        fill(world, inference_stub, at / "filled", FACES, people=FACES)
        for number in range(-1, ROUNDS[form]):
            with start_inference(world, **bytecode) as service:
                seconds = service.seconds_to_serving
            first = _on_a_copy(world, target, None, at / "copy", bytecode)
            second = _on_a_copy(world, target, at / "filled", at / "copy", bytecode)
            if number >= 0:
                inference.append(seconds)
                empty.append(first)
                filled.append(second)
    return _result(form, world, inference, empty, filled)


def _on_a_copy(
    world: World, target: str, base: Path | None, copy: Path, settings: dict[str, Setting]
) -> EdgeStart:
    """A start on a folder like `base`; None: on a new one."""
    if base is not None:
        shutil.copytree(base, copy)
    try:
        return start_once(world, target, copy, settings)
    finally:
        shutil.rmtree(copy)


def _result(
    form: Form,
    world: World,
    inference: list[float],
    empty: list[EdgeStart],
    filled: list[EdgeStart],
) -> Result:
    pack = world.pack.name
    series: dict[str, tuple[list[float], float | None]] = {
        f"inference with {pack} serves": (inference, INFERENCE_TARGET_SECONDS.get(pack)),
        "edge ready, empty base": ([one.ready for one in empty], EMPTY_TARGET_SECONDS),
        f"edge ready, {FACES:,} faces in Milvus Lite": (
            [one.ready for one in filled],
            FILLED_TARGET_SECONDS,
        ),
        "edge answers /livez": ([one.live for one in filled], None),
        "slowest /livez while the base is opened": ([one.slowest_live for one in filled], None),
    }
    return Result(
        benchmark="start",
        form=form,
        figures=[
            Figure("P9", name, statistics.median(values), "s", target, better="lower")
            for name, (values, target) in series.items()
        ],
        tables=[
            Table(
                "From process start, seconds",
                ["what", "median", "lowest", "highest", "target"],
                [
                    [
                        name,
                        *(round(of(values), 2) for of in (statistics.median, min, max)),
                        "" if target is None else target,
                    ]
                    for name, (values, target) in series.items()
                ],
            )
        ],
        details={name: list(values) for name, (values, _) in series.items()},
    )


if __name__ == "__main__":
    main("start", __doc__ or "", measure)
