"""Images a second of gRPC `Analyze` with 16 callers, against a bare loop of the same sessions.

    python -m bench.engine [--full]

The bare loop (`inference.bare`) takes a photo through all stages on one thread. Both sides have one
such thread with its own sessions a core: the loop all of them in one process, inference as
`facesearch up` runs it, in a server a core, whose least busy one gets a call. Both begin with the
bytes of JPEGs and end with vectors, and take turns: while one works the other is idle. The callers
are in this process, on the same cores; what they take is reported.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.engine.bare import Bare, bare
from bench.kit.analyze import Policy, analyzing, runtime_of
from bench.kit.figures import Figure
from bench.kit.loops import Load, closed_loop
from bench.kit.photos import mixed, selfies, single_face
from bench.kit.processes import Service, start_inference_workers
from bench.kit.result import Form, Plot, Result, Table
from bench.kit.turns import Side, Turns, take_turns
from bench.kit.world import World, main

NAME = "engine"
CALLERS = 16
TARGET = 0.90
TARGET_BY_OPENVINO = 0.85
"""The faster the networks, the more weighs what is around them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    selfies: int
    """In a round of the search policy."""
    mixed: int
    """In a round of the full policy."""
    rounds: int


_PLANS = {Form.SHORT: Plan(64, 40, 5), Form.FULL: Plan(600, 200, 9)}


def measure(form: Form, world: World) -> Result:
    """Rounds of both sides and both policies in turns."""
    plan = _PLANS[form]
    with ExitStack() as stack:
        server = stack.enter_context(start_inference_workers(world))
        loop = stack.enter_context(bare(world, len(os.sched_getaffinity(0))))
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        photos = {
            Policy.SEARCH: single_face(server, selfies(plan.selfies, folder=world.photos)),
            Policy.FULL: mixed(plan.mixed, folder=world.photos),
        }
        sides = []
        for policy in Policy:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            _write(photos[policy], folder)
            sides += [
                _served(server, policy, photos[policy], runner),
                _bare(loop, policy, folder),
            ]
        found = take_turns(sides, plan.rounds)
        runtime = runtime_of(server)
    return Result(
        benchmark=NAME,
        form=form,
        figures=[figure for policy in Policy for figure in _figures(found, policy, runtime)],
        tables=[*found.tables(f"{CALLERS} callers, {loop.threads} bare threads"), _stages(loop)],
        plots=[_plot(found, policy) for policy in Policy],
        details={
            "runtime": runtime,
            "photos": {policy.value: len(each) for policy, each in photos.items()},
            "rates": found.rates.to_json(),
        },
    )


def _write(photos: Sequence[bytes], folder: Path) -> None:
    for number, photo in enumerate(photos):
        (folder / f"{number:05}.jpg").write_bytes(photo)


def _served(
    server: Service, policy: Policy, photos: Sequence[bytes], runner: asyncio.Runner
) -> Side:
    async def analyze_all() -> Load:
        async with analyzing(server.target, policy) as analyze:
            return await closed_loop(analyze, photos, CALLERS)

    return Side(_name("gRPC Analyze", policy), [server], lambda: runner.run(analyze_all()))


def _bare(loop: Bare, policy: Policy, folder: Path) -> Side:
    return Side(_name("bare loop", policy), [loop.service], lambda: loop.load(folder, policy))


def _name(side: str, policy: Policy) -> str:
    return f"{side}, {policy} policy"


def _figures(found: Turns, policy: Policy, runtime: str) -> list[Figure]:
    served, alone = _name("gRPC Analyze", policy), _name("bare loop", policy)
    target = TARGET if runtime.startswith("onnxruntime") else TARGET_BY_OPENVINO
    ratio = found.rates.ratio(served, alone)
    share = found.cpu[served].client_share * 100
    cost = found.cpu[alone].milliseconds_of_services / found.cpu[served].milliseconds_of_all
    return [
        Figure(
            "P1", f"images a second, {served} / {alone}", ratio, "ratio", target, is_guarded=True
        ),
        Figure("P1", f"CPU time of a photo, {alone} / {served} with its callers", cost, "ratio"),
        Figure("P1", f"{served}: the callers' share of all cores", share, "%", better="lower"),
        Figure("P1", served, found.rates.median(served), "images/s"),
    ]


def _stages(loop: Bare) -> Table:
    stages = list(loop.stages[Policy.SEARCH])
    return Table(
        "Where the bare loop's time goes",
        ["policy", *(f"{stage} ms" for stage in stages)],
        [
            [policy.value, *(round(seconds[stage] * 1000, 2) for stage in stages)]
            for policy, seconds in loop.stages.items()
        ],
    )


def _plot(found: Turns, policy: Policy) -> Plot:
    sides = [_name(side, policy) for side in ("gRPC Analyze", "bare loop")]
    return Plot(
        f"Images a second, {policy} policy, round by round",
        "line",
        "round",
        "images a second",
        {
            side: [(float(number), rate) for number, rate in enumerate(found.rates.values[side], 1)]
            for side in sides
        },
    )


if __name__ == "__main__":
    main(NAME, "gRPC Analyze against a bare loop of the same sessions.", measure)
