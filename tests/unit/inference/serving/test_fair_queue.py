"""The batching policy: a function of what waits and the time."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.fair_queue import BatchPolicy, FairQueue


@dataclass(frozen=True)
class Item:
    name: str
    is_wanted: bool = True


def queue(max_batch: int = 4, max_delay_seconds: float = 0.0) -> FairQueue[Item]:
    policy = BatchPolicy(max_batch=max_batch, max_delay_seconds=max_delay_seconds)
    return FairQueue(policy, lambda item, now: item.is_wanted)


def names(items: object) -> list[str]:
    assert isinstance(items, list | tuple)
    return [item.name for item in items]


def test_a_small_call_does_not_wait_behind_a_large_one() -> None:
    waiting = queue(max_batch=4)
    for n in range(64):
        waiting.put(Item(f"large{n}"), shape=320, caller="large", now=0.0)
    waiting.put(Item("small"), shape=320, caller="small", now=1.0)

    assert names(waiting.draw(now=1.0).batch) == ["large0", "small", "large1", "large2"]


def test_callers_keep_their_turn_from_batch_to_batch() -> None:
    waiting = queue(max_batch=1)
    for n in range(3):
        for caller in "ab":
            waiting.put(Item(f"{caller}{n}"), shape=0, caller=caller, now=0.0)

    drawn = [names(waiting.draw(now=0.0).batch)[0] for _ in range(6)]

    assert drawn == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_a_caller_brings_the_shape_of_its_oldest_item_and_shapes_never_mix() -> None:
    waiting = queue(max_batch=8)
    waiting.put(Item("old"), shape=320, caller="a", now=1.0)
    waiting.put(Item("new"), shape=640, caller="a", now=2.0)

    assert names(waiting.draw(now=3.0).batch) == ["old"]
    assert names(waiting.draw(now=3.0).batch) == ["new"]
    assert waiting.draw(now=3.0).batch == ()


def test_a_call_that_comes_late_does_not_wait_for_every_shape_of_a_large_one() -> None:
    waiting = queue(max_batch=2)
    for shape in (640, 320, 128):
        for n in range(16):
            waiting.put(Item(f"large{shape}/{n}"), shape=shape, caller="large", now=0.0)
    waiting.put(Item("late"), shape=128, caller="late", now=1.0)

    assert names(waiting.draw(now=1.0).batch) == ["large640/0", "large640/1"]
    assert names(waiting.draw(now=1.0).batch) == ["late", "large128/0"]


def test_an_item_nobody_waits_for_takes_no_place_in_a_batch() -> None:
    waiting = queue(max_batch=2)
    for name, is_wanted in [("a", True), ("gone", False), ("b", True), ("c", True)]:
        waiting.put(Item(name, is_wanted), shape=0, caller=name, now=0.0)

    drawn = waiting.draw(now=0.0)

    assert names(drawn.batch) == ["a", "b"]
    assert names(drawn.unwanted) == ["gone"]


def test_a_shape_with_only_unwanted_items_does_not_hide_the_next() -> None:
    waiting = queue()
    waiting.put(Item("gone", is_wanted=False), shape=640, caller="a", now=0.0)
    waiting.put(Item("here"), shape=320, caller="b", now=1.0)

    drawn = waiting.draw(now=1.0)

    assert names(drawn.batch) == ["here"]
    assert names(drawn.unwanted) == ["gone"]


def test_without_a_delay_one_item_is_a_batch_at_once() -> None:
    waiting = queue(max_batch=32)
    waiting.put(Item("only"), shape=0, caller="a", now=5.0)

    assert waiting.ready_at() == 5.0
    assert names(waiting.draw(now=5.0).batch) == ["only"]
    assert waiting.ready_at() is None


def test_with_a_delay_a_batch_waits_until_it_is_full_or_late() -> None:
    waiting = queue(max_batch=2, max_delay_seconds=0.5)
    waiting.put(Item("a"), shape=0, caller="a", now=1.0)
    assert waiting.draw(now=1.4).batch == ()
    assert waiting.ready_at() == 1.5

    waiting.put(Item("b"), shape=0, caller="b", now=1.4)
    assert names(waiting.draw(now=1.4).batch) == ["a", "b"]

    waiting.put(Item("c"), shape=0, caller="c", now=2.0)
    assert names(waiting.draw(now=2.5).batch) == ["c"]


@pytest.mark.parametrize(("size", "padded"), [(1, 1), (3, 4), (4, 4), (5, 8), (9, 9)])
def test_a_batch_is_padded_to_the_next_bucket(size: int, padded: int) -> None:
    assert BatchPolicy(max_batch=16, buckets=(1, 2, 4, 8)).padded_size(size) == padded


def test_every_batch_size_that_can_occur_with_buckets_is_warmed() -> None:
    policy = BatchPolicy(max_batch=6, buckets=(1, 2, 4, 8, 16))
    occurring = {policy.padded_size(size) for size in range(1, policy.max_batch + 1)}
    assert set(policy.warm_sizes()) == occurring


def test_buckets_that_do_not_ascend_are_refused() -> None:
    with pytest.raises(ValueError, match="ascend"):
        BatchPolicy(max_batch=4, buckets=(4, 2))


puts = st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.booleans()), max_size=40)


@given(puts, st.integers(1, 5))
def test_every_item_leaves_exactly_once_and_each_caller_in_order(
    arrivals: list[tuple[int, str, bool]], max_batch: int
) -> None:
    waiting = queue(max_batch=max_batch)
    for n, (shape, caller, is_wanted) in enumerate(arrivals):
        item = Item(f"{shape}/{caller}/{n}", is_wanted)
        waiting.put(item, shape=shape, caller=caller, now=float(n))

    batches: list[list[str]] = []
    unwanted: list[str] = []
    while len(waiting):
        drawn = waiting.draw(now=100.0)
        unwanted += names(drawn.unwanted)
        if drawn.batch:
            batches.append(names(drawn.batch))

    served = [name for batch in batches for name in batch]
    wanted = [f"{s}/{c}/{n}" for n, (s, c, is_wanted) in enumerate(arrivals) if is_wanted]
    assert sorted(served) == sorted(wanted)
    assert len(served) + len(unwanted) == len(arrivals)
    assert all(len(batch) <= max_batch for batch in batches)
    assert all(len({name.split("/")[0] for name in batch}) == 1 for batch in batches)
    for shape in range(3):
        for caller in "abc":
            own = [int(n.split("/")[2]) for n in served if n.startswith(f"{shape}/{caller}/")]
            assert own == sorted(own)


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=60), st.integers(1, 8))
def test_no_caller_gets_two_more_than_another_that_still_waits(
    callers: list[str], max_batch: int
) -> None:
    waiting = queue(max_batch=max_batch)
    for n, caller in enumerate(callers):
        waiting.put(Item(f"{caller}/{n}"), shape=0, caller=caller, now=0.0)
    left = {caller: callers.count(caller) for caller in callers}
    got = dict.fromkeys(left, 0)

    while len(waiting):
        for name in names(waiting.draw(now=0.0).batch):
            caller = name.split("/")[0]
            got[caller] += 1
            left[caller] -= 1
            waits = [got[other] for other in left if left[other] > 0]
            assert not waits or max(got[caller] - g for g in waits) <= 1
