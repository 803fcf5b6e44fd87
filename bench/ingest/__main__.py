"""Photos a second through `PUT /photos`, against gRPC `Analyze` on the same photos.

    python -m bench.ingest [--full]

Both look as enrolment does (every look, every face) and share one inference server; they take
turns. What lies between them is keeping: the edge, the file, the vectors, the records.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count

import uvloop

from bench.kit.analyze import Policy, analyzing
from bench.kit.facesearch import IN_FLIGHT, facesearch, put_photos
from bench.kit.figures import Figure
from bench.kit.loops import Load, closed_loop
from bench.kit.photos import mixed
from bench.kit.result import Form, Plot, Result
from bench.kit.turns import Side, Turns, take_turns
from bench.kit.world import World, main

NAME = "ingest"
ANALYZE = "gRPC Analyze"
PUT = "PUT /photos"
ANALYZE_CALLERS = 16
"""As many as the engine's benchmark has."""
TARGET = 0.8


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    photos: int
    """In a round, of either side."""
    rounds: int


_PLANS = {Form.SHORT: Plan(40, 5), Form.FULL: Plan(400, 7)}


def measure(form: Form, world: World) -> Result:
    """Rounds of both sides in turns."""
    plan = _PLANS[form]
    photos = mixed(plan.photos, folder=world.photos)
    with ExitStack() as stack:
        ours = stack.enter_context(facesearch(world))
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        numbers = count()

        async def analyze_all() -> Load:
            async with analyzing(ours.inference.target, Policy.FULL) as analyze:
                return await closed_loop(analyze, photos, ANALYZE_CALLERS)

        def put_all() -> Load:
            # New names each round: the same bytes under the same name are not done again.
            return put_photos(ours.edge, photos, f"round-{next(numbers)}", runner=runner)

        found = take_turns(
            [
                Side(ANALYZE, [ours.inference], lambda: runner.run(analyze_all())),
                Side(PUT, [ours.inference, ours.edge], put_all),
            ],
            plan.rounds,
        )
    ratio = Figure(
        id="P7",
        name=f"photos a second, {PUT} ({IN_FLIGHT} in flight) / {ANALYZE}",
        value=found.rates.ratio(PUT, ANALYZE),
        unit="ratio",
        target=TARGET,
        is_guarded=True,
    )
    return Result(
        benchmark=NAME,
        form=form,
        figures=[ratio],
        tables=found.tables("full policy, mixed photos"),
        plots=[_plot(found)],
        details={"photos": len(photos), "rates": found.rates.to_json()},
    )


def _plot(found: Turns) -> Plot:
    return Plot(
        "Photos a second, round by round",
        "line",
        "round",
        "photos a second",
        {
            side: [(float(number), rate) for number, rate in enumerate(rates, start=1)]
            for side, rates in found.rates.values.items()
        },
    )


if __name__ == "__main__":
    main(NAME, "What keeping photos costs.", measure)
