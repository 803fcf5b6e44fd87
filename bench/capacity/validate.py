"""Does the model say what happens? The same searches, measured and predicted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.capacity.comparison import (
    Comparison,
    Highest,
    Percentiles,
    predicted,
    predicted_highest,
)
from bench.capacity.fitted import fitted
from bench.capacity.measure import with_pauses
from bench.capacity.one_machine import OneMachine
from bench.capacity.profile import Profile
from bench.capacity.running import Running
from bench.capacity.sizes import Sizes
from bench.load.criteria import CAPACITY, REFERENCE, Criterion, find_highest
from bench.load.runs import Run
from bench.load.search_load import rate_search
from bench.load.sizes import Sizes as LoadSizes

_SHARES = (0.3, 0.5, 0.7, 0.8, 0.9)
"""Of the highest rate: where percentiles are compared."""

Say = Callable[[str], None]


class NoRateHolds(Exception):
    """The service holds no rate at all, so there is nothing to compare."""


@dataclass(frozen=True, slots=True)
class Validation:
    """What was compared, and every run that was made for it."""

    comparison: Comparison
    profile: Profile
    """What the model was fed with: CPU times of these very runs."""
    steps: list[Run]


def validate(
    profile: Profile, running: Running, quiet: Run, sizes: Sizes, load: LoadSizes, say: Say
) -> Validation:
    """Measure, predict, compare. profile, quiet: of these processes, while little was asked.

    Raises NoRateHolds, GeneratorFailed.
    """
    search = rate_search(quiet, load)
    steps: list[Run] = []
    measured: list[tuple[Criterion, float]] = []
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
            measured.append((criterion, held))
    if not measured:
        raise NoRateHolds("no rate holds, not even a quarter of what the CPU would do")
    _, highest = measured[0]
    checks: list[Run] = []
    for _ in range(sizes.check_rounds):
        for rate in (share * highest for share in _SHARES):
            say(f"{rate:.0f}/s for {sizes.check_seconds:g} s")
            checks.append(running.generator.run(rate, sizes.check_seconds))
    calm = [run for run in steps if CAPACITY.holds(run.observed)]
    profile = fitted(
        profile, [*calm, *checks], edge=running.edge.name, inference=running.inference.name
    )
    profile = with_pauses(profile, quiet)
    say(f"{profile.cpu_seconds * 1000:.1f} ms of CPU a search, in these runs")
    return Validation(_compared(profile, measured, checks, sizes, load), profile, steps)


def _compared(
    profile: Profile,
    highest: Sequence[tuple[Criterion, float]],
    checks: Sequence[Run],
    sizes: Sizes,
    load: LoadSizes,
) -> Comparison:
    model = OneMachine(profile)
    rounds: dict[float, list[Percentiles]] = {}
    for run in checks:
        rate = run.plan.rate
        rounds.setdefault(rate, []).append(Percentiles.of(rate, run.observed.latencies()))
    return Comparison(
        [Percentiles.median(each) for each in rounds.values()],
        predicted(model, list(rounds), sizes.model_seconds),
        [
            Highest(
                criterion,
                held,
                predicted_highest(model, criterion, load.step_seconds, load.resolution),
            )
            for criterion, held in highest
        ],
    )
