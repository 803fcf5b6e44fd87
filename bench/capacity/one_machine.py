"""The model of the load test: clients, edge and inference on the cores of one machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from bench.capacity.model.arrivals import constant
from bench.capacity.model.background import background
from bench.capacity.model.clock import Clock
from bench.capacity.model.cores import Cores, Scheduling, Thread
from bench.capacity.model.edge import EdgeServer
from bench.capacity.model.inference import InferenceServer
from bench.capacity.model.service import Callers
from bench.capacity.profile import Background, Profile
from bench.load.plan import Interface, Plan
from bench.load.runs import Run

_CALIBRATIONS = 3
_MOST_OF_A_CORE = 0.9
"""That others may take; what is measured beside more is not of this service."""
_CALIBRATION_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class OneMachine:
    """What `bench.load` starts: one edge, a server a core, and the generator beside them."""

    profile: Profile
    seed: int = 1

    def run(self, rate: float, seconds: float) -> Run:
        """Predict a run of the load test at this rate, in the form in which one is measured."""
        profile, random = self.profile, Random(self.seed)  # a simulation
        clock = Clock()
        scheduling = Scheduling(
            shared_speed=profile.shared_speed,
            speeds=profile.speeds,
            speeds_every=profile.speeds_every,
        )
        cores = Cores(clock, profile.cores, scheduling)
        client = Thread(cores)
        servers = [InferenceServer(clock, cores) for _ in range(profile.servers)]
        edge = EdgeServer(clock, cores, servers)
        rest = profile.background
        elsewhere = [min(_MOST_OF_A_CORE, rest.others / profile.cores)] * profile.cores
        for share in (rest.edge, *elsewhere, *[rest.inference] * profile.servers):
            clock.start(background(clock, Thread(cores), share, seconds, random, rest.burst))
        works, late = profile.works(), profile.lateness
        callers = Callers(
            clock,
            [edge],
            lambda: random.choice(works),
            random,
            thread=client,
            lateness=lambda: random.choice(late),
        )
        callers.send(constant(rate, seconds))
        clock.run()
        observed = callers.book.observed(client.used_seconds)
        plan = Plan(Interface.SEARCH, "model", "", "", "", rate=rate, seconds=seconds)
        others = cores.used_seconds - client.used_seconds
        return Run(plan, observed, {"services": others})


def calibrated(profile: Profile, rate: float, cpu_seconds: float) -> Profile:
    """The profile with which the model uses so much CPU a request at this rate.

    What was measured includes that cores slow one another down; the model adds that again.
    cpu_seconds: without what processes take at rest.
    """
    for _ in range(_CALIBRATIONS):
        run = OneMachine(replace(profile, background=Background(0.0, 0.0))).run(
            rate, _CALIBRATION_SECONDS
        )
        used = sum(run.cpu_per_request().values()) / 1000
        profile = profile.scaled(cpu_seconds / used)
    return profile
