"""Does the model say what happens? The same searches, measured and predicted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.capacity.comparison import (
    Comparison,
    Highest,
    Percentiles,
    predicted,
    predicted_highest,
)
from bench.capacity.one_machine import OneMachine
from bench.capacity.profile import Profile
from bench.capacity.running import Running
from bench.capacity.sizes import Sizes
from bench.load.criteria import CAPACITY, REFERENCE, find_highest
from bench.load.runs import Run
from bench.load.search_load import rate_search
from bench.load.sizes import Sizes as LoadSizes

_SHARES = (0.3, 0.5, 0.7, 0.8, 0.9)
"""Of the highest rate: where percentiles are compared. Service times were taken at half of it and
below, so the upper ones are beyond what the model was fed with."""

Say = Callable[[str], None]


class NoRateHolds(Exception):
    """The service holds no rate at all, so there is nothing to compare."""


@dataclass(frozen=True, slots=True)
class Validation:
    """What was compared, and every run that was made for it."""

    comparison: Comparison
    steps: list[Run]


def validate(
    profile: Profile, running: Running, quiet: Run, sizes: Sizes, load: LoadSizes, say: Say
) -> Validation:
    """Measure, predict, compare. quiet: a run in which nothing waits.

    Raises NoRateHolds, GeneratorFailed.
    """
    model = OneMachine(profile)
    search = rate_search(quiet, load)
    steps: list[Run] = []
    highest = []
    for criterion in (CAPACITY, REFERENCE):
        say(f"the highest rate with {criterion.name}")
        held = find_highest(
            running.generator.run,
            criterion,
            search,
            steps,
            seconds=load.step_seconds,
            attempts=load.attempts,
        )
        if held is not None:
            said = predicted_highest(model, criterion, load.step_seconds, load.resolution)
            highest.append(Highest(criterion, held, said))
    if not highest:
        raise NoRateHolds("no rate holds, not even a quarter of what the CPU would do")
    rates = [share * highest[0].measured for share in _SHARES]
    rounds: dict[float, list[Percentiles]] = {rate: [] for rate in rates}
    for _ in range(sizes.check_rounds):
        for rate in rates:
            say(f"{rate:.0f}/s for {sizes.check_seconds:g} s")
            run = running.generator.run(rate, sizes.check_seconds)
            rounds[rate].append(Percentiles.of(rate, run.observed.latencies()))
    measured = [Percentiles.median(each) for each in rounds.values()]
    return Validation(
        Comparison(measured, predicted(model, rates, sizes.model_seconds), highest), steps
    )
