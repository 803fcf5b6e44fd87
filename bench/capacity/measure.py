"""Service times of the real processes: one request at a time, and while they are busy."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from bench.capacity.model.work import Part
from bench.capacity.one_machine import OneMachine, calibrated
from bench.capacity.photo_log import PhotoLog
from bench.capacity.profile import (
    CLIENT_WAKES,
    EDGE_WAKES,
    LOOP_WAKES,
    Background,
    Profile,
    Resident,
    quantiles,
)
from bench.capacity.running import Running
from bench.capacity.sharing import shared_speed
from bench.capacity.sizes import Sizes
from bench.capacity.steadiness import EVERY_SECONDS, speeds
from bench.capacity.thread_times import ThreadTimes
from bench.kit import process_tree
from bench.kit.latency import Latencies
from bench.kit.machine import machine
from bench.kit.result import Form
from bench.kit.world import ROOT, World
from bench.load.observed import OK
from bench.load.runs import Run
from bench.load.sizes import SIZES as LOAD_SIZES

_HALF, _BUSY = 0.5, 0.8
"""Of all cores: the rates at which CPU times are taken. What grows from one to the other is what a
search costs; the rest is what processes take at any rate. At low rates a search costs more, because
each finds caches cold and threads asleep."""
_CALIBRATION_SECONDS = 30.0
_SHORTEST_BURST_SECONDS = 0.0005
_WIDTH = 3.29
"""Standard deviations from the fifth to the ninety-fifth percentile of a normal distribution."""

Say = Callable[[str], None]


class NothingMeasured(Exception):
    """Searches are not answered 200 while nothing waits, or logs tell nothing of their photos."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of CPU time."""

    edge: float
    loop: float
    """Of inference besides photos."""
    photos: float
    client: float

    @property
    def total(self) -> float:
        return self.edge + self.loop + self.photos + self.client

    def line_to(self, other: Cpu, rate: float, its_rate: float) -> tuple[Cpu, Cpu]:
        """What a request costs, and what is taken a second at any rate: by this at `rate`, and by
        what `other` says of a higher one."""
        each, rest = {}, {}
        for name, mine in asdict(self).items():
            its = getattr(other, name)
            slope = (its * its_rate - mine * rate) / (its_rate - rate)
            rest[name] = max(0.0, (its - slope) * its_rate)
            each[name] = its - rest[name] / its_rate
        return Cpu(**each), Cpu(**rest)


def measured_profile(
    form: Form, world: World, running: Running, sizes: Sizes, say: Say
) -> tuple[Profile, Run]:
    """What a search costs on this machine, and the run in which nothing waited.

    Raises NothingMeasured, StartFailed, GeneratorFailed, OSError.
    """
    quiet_rate = LOAD_SIZES[form].quiet_rate
    say("every selfie once, to warm up")
    running.generator.run(quiet_rate, running.selfies / quiet_rate)
    say("what processes take at rest")
    background = _at_rest(running, sizes.idle_seconds)
    say(f"one at a time: {quiet_rate:g}/s")
    log = PhotoLog(running.inference.logs)
    quiet = running.generator.run(quiet_rate, sizes.quiet_rounds * running.selfies / quiet_rate)
    photos = log.photos()
    if quiet.observed.share(OK) < 1.0 or not photos:
        raise NothingMeasured(
            f"answers by status: {quiet.observed.statuses()}; {len(photos)} photos in the logs"
        )
    cores = len(os.sched_getaffinity(0))
    rate = _HALF * cores * 1000 / sum(quiet.cpu_per_request().values())
    say(f"at half of what it does: {rate:.0f}/s")
    half = _cpu_of_a_request(running, background, rate, sizes.busy_seconds)
    high = _BUSY * cores / half.total
    say(f"at four fifths: {high:.0f}/s")
    busy = _cpu_of_a_request(running, background, high, sizes.busy_seconds)
    cpu, rest = half.line_to(busy, rate, high)
    servers = 1 + len(running.inference.more_pids)
    background = replace(
        background,
        edge=background.edge + rest.edge,
        inference=background.inference + (rest.loop + rest.photos) / servers,
    )
    rate = high
    say("how steady the machine is")
    steady = speeds(sizes.steady_seconds)
    say("how much cores slow one another down")
    profile = Profile(
        pack=world.pack.name,
        source="`python -m bench.capacity measure`",
        machine=machine(world.checkout or ROOT),
        cores=cores,
        servers=servers,
        photos=photos,
        photo_seconds=cpu.photos,
        client=Part(cpu.client, CLIENT_WAKES),
        edge=Part(cpu.edge, EDGE_WAKES),
        loop=Part(cpu.loop, LOOP_WAKES),
        background=background,
        pauses=0.0,
        lateness=quantiles(quiet.observed.lateness().seconds),
        shared_speed=_shared_speed(world, running.folder, sizes),
        resident=Resident(
            edge=running.edge.rss_bytes(),
            inference=running.inference.rss_bytes() // servers,
        ),
        speeds=steady,
        speeds_every=EVERY_SECONDS,
    )
    profile = calibrated(profile, rate, cpu.total)
    return as_at_rest(profile, quiet), quiet


def as_at_rest(profile: Profile, quiet: Run) -> Profile:
    """The profile with what the model lacks of a run in which nothing waited.

    Of how much searches differ: the spread of what they take of the CPU. Of the mean: time that is
    nobody's CPU.
    """
    profile = replace(profile, pauses=0.0, spread=0.0)
    real, model = quiet.observed.latencies(), _at_the_rate_of(quiet, profile)
    lacks = max(0.0, _deviation(real) ** 2 - _deviation(model) ** 2)
    profile = replace(profile, spread=math.sqrt(lacks) / profile.cpu_seconds)
    pauses = real.mean - _at_the_rate_of(quiet, profile).mean
    return replace(profile, pauses=max(0.0, pauses))


def _at_the_rate_of(quiet: Run, profile: Profile) -> Latencies:
    return OneMachine(profile).run(quiet.plan.rate, _CALIBRATION_SECONDS).observed.latencies()


def _deviation(latencies: Latencies) -> float:
    """The standard deviation of the nine tenths in the middle, as if they were normal: one search
    that met a pause of the machine must not count for all."""
    ordered = sorted(latencies.seconds)
    low, high = (ordered[int(share * len(ordered))] for share in (0.05, 0.95))
    return (high - low) / _WIDTH


def _at_rest(running: Running, seconds: float) -> Background:
    """What is used while nobody asks anything."""
    servers = (running.inference.pid, *running.inference.more_pids)
    edges = tuple(process_tree.tree(running.edge.pid))
    machine_before = process_tree.machine_seconds()
    edge_before, servers_before = ThreadTimes.of(edges), ThreadTimes.of(servers)
    time.sleep(seconds)
    edge = ThreadTimes.of(edges).since(edge_before)
    inference = ThreadTimes.of(servers).since(servers_before)
    everything = process_tree.machine_seconds() - machine_before
    return Background(
        edge=edge.total / seconds,
        inference=inference.total / len(servers) / seconds,
        others=max(0.0, everything - edge.total - inference.total) / seconds,
        burst=max(edge.burst, inference.burst, _SHORTEST_BURST_SECONDS),
    )


def _cpu_of_a_request(running: Running, background: Background, rate: float, seconds: float) -> Cpu:
    """Of one request at this rate, without what the processes take at rest."""
    servers = (running.inference.pid, *running.inference.more_pids)
    before, begun = ThreadTimes.of(servers), time.perf_counter()
    run = running.generator.run(rate, seconds)
    used, lasted = ThreadTimes.of(servers).since(before), time.perf_counter() - begun
    count = run.observed.count
    photos = used.of_photos()
    loop = used.total - photos - background.inference * len(servers) * lasted
    edge = run.cpu_seconds[running.edge.name] - background.edge * lasted
    return Cpu(
        edge=edge / count,
        loop=max(0.0, loop) / count,
        photos=photos / count,
        client=run.observed.generator_cpu_seconds / count,
    )


def _shared_speed(world: World, selfies: Path, sizes: Sizes) -> float:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        for number in range(sizes.sharing_photos):
            selfie = selfies / f"{number}.jpg"
            if selfie.is_file():
                shutil.copy(selfie, folder)
        return shared_speed(world, folder, sizes.sharing_rounds)
