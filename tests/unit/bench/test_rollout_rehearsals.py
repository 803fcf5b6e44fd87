"""What a rehearsal does to a cluster, on one that only keeps what it is told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest

from bench.rollout import rehearsals
from bench.rollout.cluster import Cluster
from bench.rollout.rehearsals import Lengths, Rehearsal
from bench.rollout.scenarios import PROMISES, Happened, Scenario


@dataclass
class Store:
    """The process of a store; `is_stubborn`: it passes over what asks it to end."""

    is_stubborn: bool = False
    name: str = "milvus"
    is_running: bool = True
    code: int = 0
    starts: int = 0

    def ask_to_end(self) -> None:
        self.is_running = self.is_stubborn

    def end_at_once(self) -> None:
        self.is_running, self.code = False, -9

    def ended(self) -> int:
        assert not self.is_running
        return self.code

    def start(self) -> None:
        self.starts += 1


@dataclass
class Told:
    """A cluster's ear."""

    notes: list[str] = field(default_factory=list)
    passed: list[float] = field(default_factory=list)


def restarted(store: Store, quiet: float = 1.0) -> tuple[Happened, Told]:
    told = Told()
    made = SimpleNamespace(
        milvus=SimpleNamespace(process=store, start=store.start),
        retired=[],
        note=told.notes.append,
        pass_time=told.passed.append,
        tick=lambda: time.sleep(0.01),
    )
    rehearsal = Rehearsal(cast("Cluster", made), Lengths(hang=1.0, gone=1.0, quiet=quiet), [])
    return rehearsal.run(Scenario.VECTORS_RESTART), told


def test_a_store_ends_in_order_and_comes_back() -> None:
    store = Store()
    happened, told = restarted(store)
    assert store.starts == 1
    assert happened.seen[0].startswith("milvus ended with 0, was away for 0.0 s")
    assert told.notes == ["— vectors-restart", "milvus is restarted", "milvus is back"]


def test_a_store_that_does_not_end_in_its_grace_period_is_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rehearsals, "_GRACE_SECONDS", 0.1)
    store = Store(is_stubborn=True)
    happened, told = restarted(store)
    assert store.starts == 1
    assert happened.seen[0].startswith("milvus ended with -9, was away for 0.1 s")
    assert "milvus: its grace period is over" in told.notes


@pytest.mark.parametrize("quiet", [1.0, 60.0])
def test_it_is_quiet_for_as_long_as_a_promise_lets_requests_fail(quiet: float) -> None:
    _, told = restarted(Store(), quiet)
    assert told.passed == [max(quiet, PROMISES[Scenario.VECTORS_RESTART].back_seconds)]
