"""A profile with the CPU times of the very runs that a prediction is compared with.

A machine that others use too is a tenth faster in one half minute than in the next, and near the
highest rate a tenth decides. What the model is to say is how long callers wait, given what a search
costs; so that cost is taken where the waiting is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.capacity.one_machine import calibrated
from bench.capacity.profile import Profile
from bench.load.runs import Run

_CLIENT = "client"


class TooFewRates(Exception):
    """All runs are at one rate, so what is taken at any rate cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Line:
    """CPU of a process by rate."""

    each: float
    """Seconds for a request."""
    rest: float
    """Seconds a second, at any rate."""


def fitted(profile: Profile, runs: Sequence[Run], *, edge: str, inference: str) -> Profile:
    """The profile with the CPU that these processes took in the runs.

    edge, inference: their names in the runs. How a server's time is divided among its threads stays
    as it is. Raises TooFewRates.
    """
    of_edge, of_inference, of_client = (line(runs, name) for name in (edge, inference, _CLIENT))
    server = profile.photo_seconds + profile.loop.seconds
    factor = of_inference.each / server
    found = replace(
        profile,
        photo_seconds=profile.photo_seconds * factor,
        loop=replace(profile.loop, seconds=profile.loop.seconds * factor),
        edge=replace(profile.edge, seconds=of_edge.each),
        client=replace(profile.client, seconds=of_client.each),
        background=replace(
            profile.background,
            edge=of_edge.rest,
            inference=of_inference.rest / profile.servers,
        ),
    )
    requests = sum(run.observed.count for run in runs)
    rate = requests / sum(run.plan.seconds for run in runs)
    return calibrated(found, rate, found.cpu_seconds)


def line(runs: Sequence[Run], name: str) -> Line:
    """What a process takes, by least squares over the runs; longer ones count for more.

    Raises TooFewRates.
    """
    seconds = np.array([run.plan.seconds for run in runs])
    requests = np.array([run.observed.count for run in runs])
    rates = requests / seconds
    if len(set(rates.tolist())) < 2:
        raise TooFewRates(f"{len(runs)} runs at one rate")
    used = np.array([run.cpu_per_request()[name] / 1000 for run in runs]) * requests
    each, rest = np.polyfit(rates, used / seconds, 1, w=np.sqrt(seconds))
    if rest < 0 or each <= 0:
        return Line(float(used.sum() / requests.sum()), 0.0)
    return Line(float(each), float(rest))
