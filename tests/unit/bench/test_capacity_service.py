"""The model of the service: limits, deadlines, batches, and what a cluster of it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean, pstdev

import numpy as np
import pytest

from bench.capacity.cluster import Cluster, PodCores
from bench.capacity.measure import as_at_rest
from bench.capacity.model.arrivals import Stretch, constant, poisson
from bench.capacity.model.clock import Clock
from bench.capacity.model.cores import Cores, Thread
from bench.capacity.model.edge import Choice, EdgeServer
from bench.capacity.model.gpu import BatchTime, Gpu, GpuServer
from bench.capacity.model.inference import InferenceLimits, InferenceServer
from bench.capacity.model.service import Callers
from bench.capacity.model.work import FULL, LATE, OK, Part, Photo, Work
from bench.capacity.one_machine import OneMachine, calibrated
from bench.capacity.packs import BUFFALO_L, MBF128, on_cpu
from bench.capacity.prices import bill
from bench.capacity.profile import Background, Profile, Resident
from bench.capacity.staffing import smallest
from bench.load.observed import Observed

MS = 0.001


@pytest.fixture
def profile() -> Profile:
    """12 ms of a photo, 3 of the edge, 1 around the photo, on two cores."""
    return Profile(
        pack="mbf128",
        source="made up",
        machine={"cpu": "none"},
        cores=2,
        servers=2,
        photos=[Photo(3 * MS, 5 * MS, 1 * MS, 3 * MS), Photo(4 * MS, 6 * MS, 1 * MS, 3 * MS)],
        photo_seconds=12 * MS,
        client=Part(0.3 * MS, 2),
        edge=Part(3 * MS, 7),
        loop=Part(1 * MS, 4),
        background=Background(0.01, 0.01),
        pauses=2 * MS,
        lateness=[0.5 * MS, 1.5 * MS],
        shared_speed=0.95,
        resident=Resident(edge=300_000_000, inference=400_000_000),
    )


def work(profile: Profile) -> Work:
    return profile.works()[0]


def offered(
    edge: EdgeServer, clock: Clock, one: Work, moments: list[float], timeout_seconds: float = 10.0
) -> Observed:
    callers = Callers(clock, [edge], lambda: one, Random(1), timeout_seconds=timeout_seconds)
    callers.send(moments)
    clock.run()
    return callers.book.observed()


def test_a_request_alone_takes_the_sum_of_its_parts(profile: Profile) -> None:
    clock = Clock()
    edge = EdgeServer(clock, Cores(clock, 2), [InferenceServer(clock, Cores(clock, 2))])
    one = work(profile)
    observed = offered(edge, clock, one, [0.0])
    expected = one.photo.total + profile.edge.seconds + profile.loop.seconds + profile.pauses
    assert observed.latencies().longest == pytest.approx(expected)


def test_an_edge_refuses_what_is_beyond_its_limit(profile: Profile) -> None:
    clock = Clock()
    edge = EdgeServer(
        clock, Cores(clock, 2), [InferenceServer(clock, Cores(clock, 1))], max_in_flight=4
    )
    observed = offered(edge, clock, work(profile), [0.0] * 20)
    assert observed.statuses() == {OK: 4, FULL: 16}
    assert edge.at_work == 0


def test_inference_refuses_what_is_beyond_its_queue(profile: Profile) -> None:
    clock = Clock()
    server = InferenceServer(clock, Cores(clock, 1), InferenceLimits(queue_items=3))
    edge = EdgeServer(clock, Cores(clock, 2), [server])
    observed = offered(edge, clock, work(profile), [0.0] * 10)
    assert observed.statuses() == {OK: 3, FULL: 7}
    assert server.in_flight == 0


def test_late_photos_cost_no_stage(profile: Profile) -> None:
    clock = Clock()
    cores = Cores(clock, 1)
    edge = EdgeServer(clock, Cores(clock, 2), [InferenceServer(clock, cores)])
    one = work(profile)
    observed = offered(edge, clock, one, [0.0] * 20, timeout_seconds=12 * one.photo.total)
    in_time = observed.statuses()[OK]
    assert 0 < in_time < 14
    assert observed.statuses()[LATE] == 20 - in_time
    assert cores.used_seconds < 16 * one.photo.total


def test_the_least_busy_server_gets_the_call_and_behind_one_name_each_in_turn(
    profile: Profile,
) -> None:
    def longest(choice: Choice) -> float:
        clock = Clock()
        servers = [InferenceServer(clock, Cores(clock, 1)) for _ in range(2)]
        edge = EdgeServer(clock, Cores(clock, 2), servers, choice=choice)
        slow = replace(work(profile), photo=Photo(1.0, 0.0, 0.0, 0.0))
        quick = work(profile)
        works = iter([slow, quick, quick])
        callers = Callers(clock, [edge], lambda: next(works), Random(1))
        callers.send([0.0, 0.1, 0.2])
        clock.run()
        return float(np.sort(callers.book.observed().done)[1])

    assert longest(Choice.LEAST_BUSY) < 0.3
    assert longest(Choice.IN_TURN) > 1.0


def test_a_gpu_takes_what_queued_up_as_one_batch(profile: Profile) -> None:
    clock = Clock()
    gpu = Gpu(
        detect=BatchTime(10 * MS, 0.0), embed=BatchTime(0.0, 0.0), pixel_threads=16, sessions=1
    )
    server = GpuServer(clock, Cores(clock, 16), gpu)
    edge = EdgeServer(clock, Cores(clock, 4), [server])
    offered(edge, clock, work(profile), [0.0] * 16)
    assert server.gpu_seconds <= 40 * MS


def test_batch_times_go_through_what_was_published() -> None:
    time = BatchTime.through(3.4 * MS, 5.28 * MS, 16)
    assert time.of(1) == pytest.approx(3.4 * MS)
    assert time.of(16) == pytest.approx(5.28 * MS)


def test_the_same_seed_gives_the_same_run_and_another_seed_another(profile: Profile) -> None:
    def done(seed: int) -> list[float]:
        return list(OneMachine(profile, seed).run(80.0, 1.0).observed.done)

    assert done(1) == done(1)
    assert done(1) != done(2)


def test_one_machine_holds_what_its_cores_can_and_no_more(profile: Profile) -> None:
    most = profile.cores * profile.shared_speed / profile.cpu_seconds
    held = OneMachine(profile).run(0.7 * most, 4.0).observed
    beyond = OneMachine(profile).run(1.5 * most, 4.0).observed
    assert held.share(OK) == 1.0
    assert held.latencies().p50 < 0.04
    assert beyond.share(OK) < 0.9
    assert beyond.share(OK) * beyond.count / beyond.seconds == pytest.approx(most, rel=0.15)


def test_calibration_makes_the_model_use_what_was_measured(profile: Profile) -> None:
    found = calibrated(profile, 60.0, 0.020)
    quiet = replace(found, background=Background(0.0, 0.0))
    used = sum(OneMachine(quiet).run(60.0, 10.0).cpu_per_request().values())
    assert used == pytest.approx(20.0, rel=0.03)


def test_a_profile_reads_back_what_it_wrote(profile: Profile, tmp_path: Path) -> None:
    profile.save(tmp_path / "profile.json")
    assert Profile.load(tmp_path / "profile.json") == profile


def test_photos_of_a_profile_cost_what_was_measured_in_the_mean(profile: Profile) -> None:
    totals = [one.photo.total for one in profile.works()]
    assert sum(totals) / len(totals) == pytest.approx(profile.photo_seconds)
    assert totals[0] != totals[1]


def test_searches_that_differ_beside_their_photos_still_cost_the_same_in_the_mean(
    profile: Profile,
) -> None:
    works = replace(profile, spread=0.2).works()
    edges = [one.edge_before.seconds + one.edge_after.seconds for one in works]
    assert fmean(one.photo.total for one in works) == pytest.approx(profile.photo_seconds)
    assert fmean(edges) == pytest.approx(profile.edge.seconds)
    assert pstdev(edges) / fmean(edges) == pytest.approx(0.2, rel=0.01)


def test_a_profile_is_given_the_spread_and_the_mean_of_a_run_at_rest(profile: Profile) -> None:
    real = replace(profile, pauses=5 * MS, spread=0.15)
    quiet = OneMachine(real, seed=3).run(10.0, 60.0)

    found = as_at_rest(replace(profile, pauses=0.0), quiet)

    assert found.spread == pytest.approx(0.15, rel=0.2)
    assert found.pauses == pytest.approx(5 * MS, abs=0.5 * MS)


def test_a_larger_pack_costs_more_where_its_networks_are_larger(profile: Profile) -> None:
    large = on_cpu(profile, MBF128, "buffalo_l", BUFFALO_L)
    before, after = profile.photos[0], large.photos[0]
    assert after.decode == before.decode
    assert after.detect == pytest.approx(before.detect * 9.98 / 2.57)
    assert after.embed == pytest.approx(before.embed * 6.31 / 0.234)


def test_arrivals_at_random_have_the_rate_of_each_stretch() -> None:
    moments = list(poisson([Stretch(100, 20), Stretch(1000, 20)], Random(1)))
    early = sum(moment < 20 for moment in moments)
    assert early == pytest.approx(2_000, rel=0.1)
    assert len(moments) - early == pytest.approx(20_000, rel=0.05)
    assert moments == sorted(moments)
    assert list(constant(10, 0.3)) == pytest.approx([0.0, 0.1, 0.2])


def test_a_cluster_needs_pods_for_its_load_and_some_to_spare(profile: Profile) -> None:
    staff = smallest(profile, 150.0, None, PodCores(), requests=1_500)
    load = 150 * (profile.photo_seconds + profile.loop.seconds)
    assert load <= staff.servers <= 2 * load + 1
    fewer = Cluster(profile, staff.edges, staff.servers - 1).offer([Stretch(150.0, 10.0)])
    assert fewer.observed.latencies().p99 > 0.2 or fewer.observed.share(OK) < 1.0


def test_the_pods_of_a_cluster_hold_their_load_for_longer_than_it_took_to_choose_them(
    profile: Profile,
) -> None:
    staff = smallest(profile, 150.0, None, PodCores(), requests=1_500)
    longer = Cluster(profile, staff.edges, staff.servers, seed=2).offer([Stretch(150.0, 60.0)])
    assert longer.observed.share(OK) == 1.0
    assert longer.observed.latencies().p99 < 0.2 * 1.25
    assert longer.inference_busy < 0.95


def test_ten_parts_of_a_cluster_do_ten_times_as_much(profile: Profile) -> None:
    whole, part = (
        smallest(profile, rate, None, PodCores(), requests=500) for rate in (3_000.0, 1_000.0)
    )
    assert (whole.edges, whole.servers) == (3 * part.edges, 3 * part.servers)


def test_what_is_ordered_keeps_cores_below_what_they_may_do(profile: Profile) -> None:
    staff = smallest(profile, 150.0, None, PodCores(), requests=500)
    ordered = bill(profile, staff, server_cores=1, has_gpu=False, busy=0.5)
    used = 150 * (profile.photo_seconds + profile.loop.seconds)
    share = used / ordered.servers + profile.background.inference
    assert 0.4 < share <= 0.5


def test_a_thread_serves_in_the_order_of_arrival() -> None:
    clock, ended = Clock(), list[int]()
    thread = Thread(Cores(clock, 1))
    thread.put(0.5, lambda: ended.append(1))
    thread.put(0.1, lambda: ended.append(2))
    clock.run()
    assert ended == [1, 2]
