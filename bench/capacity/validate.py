"""Does the model say what happens? The same searches, measured and predicted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from bench.capacity.comparison import Comparison, Highest, Percentiles
from bench.capacity.fitted import fitted
from bench.capacity.measure import as_at_rest
from bench.capacity.one_machine import OneMachine
from bench.capacity.pace import EVERY_SECONDS, Watched, speeds
from bench.capacity.profile import Profile
from bench.capacity.running import Running
from bench.capacity.sizes import Sizes
from bench.capacity.usage import sampled
from bench.load.criteria import CAPACITY, REFERENCE, Criterion, find_highest
from bench.load.highest_rate import RateSearch
from bench.load.runs import Run
from bench.load.search_load import rate_search
from bench.load.sizes import Sizes as LoadSizes

_SHARES = (0.3, 0.5, 0.7, 0.8, 0.9)
"""Of the highest rate: where percentiles are compared."""
_SEEDS = (1, 2, 3)
"""Of predictions of one run: its photos come in another order each time, as they do."""

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


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, before anything is predicted."""

    highest: Sequence[tuple[Criterion, float]]
    steps: Sequence[Watched]
    """Of the search for the highest rates."""
    checks: Sequence[Watched]
    """At the rates that are compared, several at each."""


def validate(
    profile: Profile, running: Running, quiet: Run, sizes: Sizes, load: LoadSizes, say: Say
) -> Validation:
    """Measure, predict, compare. profile, quiet: of these processes, while little was asked.

    Raises NoRateHolds, GeneratorFailed.
    """
    measured = _measured(running, quiet, sizes, load, say)
    names = (running.edge.name, running.inference.name)
    profile, comparison = compared(profile, measured, quiet, names, load)
    say(f"{profile.cpu_seconds * 1000:.1f} ms of CPU a search, in these runs")
    return Validation(comparison, profile, [one.run for one in measured.steps])


def _measured(running: Running, quiet: Run, sizes: Sizes, load: LoadSizes, say: Say) -> Measured:
    watched: list[Watched] = []

    def run(rate: float, seconds: float) -> Run:
        with sampled(running.processes) as usage:
            made = running.generator.run(rate, seconds)
        watched.append(Watched(made, usage))
        return made

    search = rate_search(quiet, load)
    steps: list[Run] = []
    highest: list[tuple[Criterion, float]] = []
    for criterion in (CAPACITY, REFERENCE):
        say(f"the highest rate with {criterion.name}")
        held = find_highest(
            run, criterion, search, steps, seconds=load.step_seconds, attempts=load.attempts
        )
        if held is not None:
            highest.append((criterion, held))
    if not highest:
        raise NoRateHolds("no rate holds, not even a quarter of what the CPU would do")
    of_search = len(watched)
    _, top = highest[0]
    for _ in range(sizes.check_rounds):
        for rate in (share * top for share in _SHARES):
            say(f"{rate:.0f}/s for {sizes.check_seconds:g} s")
            run(rate, sizes.check_seconds)
    return Measured(highest, watched[:of_search], watched[of_search:])


def compared(
    profile: Profile, measured: Measured, quiet: Run, names: tuple[str, str], load: LoadSizes
) -> tuple[Profile, Comparison]:
    """The profile as these runs have it, and what the model makes of it.

    names: of the edge and of inference in the runs.
    """
    calm = [one for one in measured.steps if CAPACITY.holds(one.run.observed)]
    every = [*calm, *measured.checks]
    edge, inference = names
    profile = fitted(
        replace(profile, speeds=[1.0]),
        [one.run for one in every],
        edge=edge,
        inference=inference,
    )
    profile = as_at_rest(profile, quiet)
    rest = profile.background.edge + profile.background.inference * profile.servers
    found = speeds(every, rest)
    of_steps, of_checks = found[: len(calm)], found[len(calm) :]
    real: dict[float, list[Percentiles]] = {}
    model: dict[float, list[Percentiles]] = {}
    for one, pace in zip(measured.checks, of_checks, strict=True):
        rate, seconds = one.run.plan.rate, one.run.plan.seconds
        real.setdefault(rate, []).append(Percentiles.of(rate, one.run.observed.latencies()))
        paced = replace(profile, speeds=pace, speeds_every=EVERY_SECONDS)
        said = [
            Percentiles.of(rate, OneMachine(paced, seed).run(rate, seconds).observed.latencies())
            for seed in _SEEDS
        ]
        model.setdefault(rate, []).append(Percentiles.median(said))
    highest = [
        Highest(criterion, held, _predicted_highest(profile, of_steps, criterion, load))
        for criterion, held in measured.highest
    ]
    profile = replace(
        profile, speeds=list(chain.from_iterable(of_checks)), speeds_every=EVERY_SECONDS
    )
    return profile, Comparison(
        [Percentiles.median(each) for each in real.values()],
        [Percentiles.median(each) for each in model.values()],
        highest,
    )


def _predicted_highest(
    profile: Profile, paces: Sequence[list[float]], criterion: Criterion, load: LoadSizes
) -> float:
    """Found as the real one was, with each run as fast as one of those that were made for it."""
    runs: list[Run] = []

    def run(rate: float, seconds: float) -> Run:
        pace = paces[len(runs) % len(paces)]
        return OneMachine(replace(profile, speeds=pace, speeds_every=EVERY_SECONDS)).run(
            rate, seconds
        )

    first = 0.6 * profile.cores / profile.cpu_seconds
    search = RateSearch(first, resolution=load.resolution, lowest=first / 4)
    found = find_highest(
        run, criterion, search, runs, seconds=load.step_seconds, attempts=load.attempts
    )
    return found or 0.0
