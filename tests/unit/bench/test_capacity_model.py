"""The model against what queueing theory says of simple cases."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from math import factorial, inf
from random import Random

import pytest

from bench.capacity.model.clock import Clock, Process
from bench.capacity.model.cores import Cores, Pool, Scheduling, Thread

REQUESTS = 12_000
"""Enough for a mean within some 5 % at these loads, with these seeds."""


class Queue:
    """Poisson arrivals, `servers` threads on as many cores, and how long everybody stayed."""

    def __init__(
        self, rate: float, draw: Callable[[Random], float], servers: int, seed: int
    ) -> None:
        self.clock = Clock()
        self.random = Random(seed)
        self.draw = draw
        self.stays: list[float] = []
        self.inside = self.inside_seconds = self.counted_at = 0.0
        # A core each: nobody's turn need ever end.
        cores = Cores(self.clock, servers, Scheduling(slice_seconds=inf))
        self.pool = Pool(cores, servers)
        gaps = (self.random.expovariate(rate) for _ in range(REQUESTS))
        for moment in accumulate(gaps):
            self.clock.start_at(moment, self._customer())
        self.clock.run()

    @property
    def mean_stay(self) -> float:
        return sum(self.stays) / len(self.stays)

    @property
    def mean_inside(self) -> float:
        return self.inside_seconds / self.clock.now

    def _count(self, change: int) -> None:
        self.inside_seconds += self.inside * (self.clock.now - self.counted_at)
        self.counted_at = self.clock.now
        self.inside += change

    def _customer(self) -> Process[None]:
        came = self.clock.now
        self._count(+1)
        thread = yield from self.pool.thread()
        yield from thread.work(self.draw(self.random))
        self.pool.give_back(thread)
        self._count(-1)
        self.stays.append(self.clock.now - came)


def exponential(random: Random) -> float:
    return random.expovariate(1.0)


def always_one(_: Random) -> float:
    return 1.0


def erlang_c(servers: int, load: float) -> float:
    """How likely a customer waits, with so many servers and so much work a second."""
    queued = load**servers / factorial(servers) * servers / (servers - load)
    return queued / (sum(load**n / factorial(n) for n in range(servers)) + queued)


def test_one_server_with_random_service_keeps_customers_as_long_as_m_m_1_says() -> None:
    queue = Queue(0.7, exponential, servers=1, seed=1)
    assert queue.mean_stay == pytest.approx(1 / (1 - 0.7), rel=0.1)


def test_one_server_with_fixed_service_keeps_customers_as_long_as_m_d_1_says() -> None:
    queue = Queue(0.7, always_one, servers=1, seed=2)
    assert queue.mean_stay == pytest.approx(1 + 0.7 / (2 * (1 - 0.7)), rel=0.05)


def test_four_servers_keep_customers_as_long_as_erlang_says() -> None:
    queue = Queue(3.2, exponential, servers=4, seed=3)
    assert queue.mean_stay == pytest.approx(1 + erlang_c(4, 3.2) / (4 - 3.2), rel=0.08)


def test_as_many_are_inside_as_littles_law_says() -> None:
    queue = Queue(0.7, exponential, servers=1, seed=4)
    rate = len(queue.stays) / queue.clock.now
    assert queue.mean_inside == pytest.approx(rate * queue.mean_stay, rel=1e-9)


def test_threads_that_share_a_core_take_turns() -> None:
    """Two that begin together and want the same end together, at twice the time."""
    clock, ended = Clock(), list[float]()
    cores = Cores(clock, 1, Scheduling(slice_seconds=0.001))
    for _ in range(2):
        Thread(cores).put(0.1, lambda: ended.append(clock.now))
    clock.run()
    assert ended == [pytest.approx(0.199), pytest.approx(0.2)]


def test_short_work_beside_long_work_waits_for_a_slice_and_not_for_its_end() -> None:
    clock, ended = Clock(), list[float]()
    cores = Cores(clock, 1, Scheduling(slice_seconds=0.004))
    Thread(cores).put(1.0, lambda: None)
    Thread(cores).put(0.001, lambda: ended.append(clock.now))
    clock.run()
    assert ended == [pytest.approx(0.005)]


def test_an_idle_core_takes_over_who_has_waited() -> None:
    clock, ended = Clock(), list[float]()
    cores = Cores(clock, 2, Scheduling(slice_seconds=1.0, migration_seconds=0.0005))
    Thread(cores).put(1.0, lambda: None)
    Thread(cores).put(0.1, lambda: None)
    waiting = Thread(cores)
    waiting.home = 0
    waiting.put(0.1, lambda: ended.append(clock.now))
    clock.run()
    assert ended == [pytest.approx(0.2)]


def test_cores_slow_one_another_down_only_while_all_are_busy() -> None:
    def seconds_of(threads: int) -> float:
        clock = Clock()
        cores = Cores(clock, 2, Scheduling(shared_speed=0.5))
        busy = [Thread(cores) for _ in range(threads)]
        for thread in busy:
            thread.put(1.0, lambda: None)
        clock.run()
        return busy[0].used_seconds

    assert seconds_of(1) == pytest.approx(1.0)
    assert seconds_of(2) == pytest.approx(2.0, rel=0.01)


def test_a_machine_that_others_use_too_is_slower_for_a_while_and_then_again() -> None:
    clock = Clock()
    cores = Cores(
        clock, 1, Scheduling(slice_seconds=0.01, speeds=(1.0, 0.5, 2.0), speeds_every=0.1)
    )
    thread, ended = Thread(cores), list[float]()
    # 0.1 s of work in the first tenth, 0.05 in the second, 0.2 in the third, and from the first.
    for _ in range(4):
        thread.put(0.1, lambda: ended.append(clock.now))
    clock.run()
    assert ended == pytest.approx([0.1, 0.225, 0.275, 0.35], abs=0.01)


def test_cpu_time_is_what_was_asked_for() -> None:
    queue_clock = Clock()
    cores = Cores(queue_clock, 2)
    threads = [Thread(cores) for _ in range(5)]
    for thread in threads:
        queue_clock.start(thread.work(0.3, wakes=7))
    queue_clock.run()
    assert cores.used_seconds == pytest.approx(1.5)
    # Five threads on two busy cores: the last may be left alone on one.
    assert queue_clock.now <= 0.85


def two_busy_cores() -> tuple[Clock, Cores, Thread, Thread]:
    """Busy for a second, and for nine tenths of one."""
    clock = Clock()
    cores = Cores(clock, 2, Scheduling(slice_seconds=1.0, migration_seconds=1.0))
    here, there = Thread(cores), Thread(cores)
    here.put(1.0, lambda: None)
    there.put(0.9, lambda: None)
    return clock, cores, here, there


def test_a_thread_that_wakes_on_busy_cores_waits_where_it_was_until_a_tick() -> None:
    """Linux looks for no idle core of two while they are busier than three fifths."""
    clock, cores, here, _ = two_busy_cores()
    waker, ended = Thread(cores), list[float]()
    waker.home, waker.ran = here.home, 0.9
    clock.at(0.9001, lambda: waker.put(0.01, lambda: ended.append(clock.now)))
    clock.run()
    # It ran lately, so an idle core leaves it there at two ticks; the third takes it over.
    assert ended == [pytest.approx(0.912 + 0.01)]


@pytest.mark.parametrize(
    ("wakes", "begins"),
    [(0.9001, 0.904), (0.9601, 0.964), (0.9841, 0.9841)],
    ids=["both were busy", "62 % busy of late", "58 % busy of late"],
)
def test_an_idle_core_is_looked_for_below_three_fifths_and_else_looks_itself_at_a_tick(
    wakes: float, begins: float
) -> None:
    clock, cores, here, _ = two_busy_cores()
    waker, ended = Thread(cores), list[float]()
    waker.home = here.home
    clock.at(wakes, lambda: waker.put(0.001, lambda: ended.append(clock.now)))
    clock.run()
    assert ended == [pytest.approx(begins + 0.001)]


def test_the_core_before_the_last_is_taken_however_busy_the_cores_were() -> None:
    clock, cores, here, there = two_busy_cores()
    waker, ended = Thread(cores), list[float]()
    waker.home, waker.before = here.home, there.home
    clock.at(0.9001, lambda: waker.put(0.001, lambda: ended.append(clock.now)))
    clock.run()
    assert ended == [pytest.approx(0.9011)]


def test_a_thread_that_wakes_on_rested_cores_takes_an_idle_one() -> None:
    clock = Clock()
    cores = Cores(clock, 2, Scheduling(slice_seconds=1.0, migration_seconds=1.0))
    here, waker = Thread(cores), Thread(cores)
    ended = list[float]()
    here.put(1.0, lambda: None)
    waker.home = here.home
    clock.at(0.5, lambda: waker.put(0.01, lambda: ended.append(clock.now)))
    clock.run()
    assert ended == pytest.approx([0.51])


def test_who_is_woken_takes_the_core_that_its_waker_leaves() -> None:
    clock, cores, here, there = two_busy_cores()
    woken, ended = Thread(cores), list[float]()
    woken.home, woken.ran = here.home, 0.9
    there.put(0.05, lambda: woken.put(0.01, lambda: ended.append(clock.now)))
    clock.run()
    assert ended == pytest.approx([0.96])
    assert woken.home == there.home


def test_what_is_due_at_one_moment_happens_in_order() -> None:
    clock, happened = Clock(), list[int]()
    for number in range(10):
        clock.at(1.0, lambda number=number: happened.append(number))  # type: ignore[misc]  # its own number
    clock.run()
    assert happened == list(range(10))
