"""Pods that are deleted: when the balancer is told, when SIGTERM comes, and how they end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.kit.world import World
from bench.rollout.manifests import Times
from bench.rollout.pods import Pod, Role
from bench.rollout.process import Process
from bench.rollout.retiring import KILLED, Retired, Retiring
from tests.faults.outages import free_port, until

DRAINS = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("ready", flush=True)
time.sleep(600)
"""
STUBBORN = DRAINS.replace("lambda *_: sys.exit(0)", "signal.SIG_IGN")
TIMES = Times(endpoints=1.0, min_ready=0.0, pre_stop=5.0, grace=60.0)


@dataclass
class Front:
    """Keeps what it is told."""

    told: list[str] = field(default_factory=list)

    def drain(self, name: str) -> None:
        self.told.append(f"{name} drains")

    def forget(self, name: str) -> None:
        self.told.append(f"{name} is gone")


@contextmanager
def pod(folder: Path, code: str, role: Role = Role.EDGE) -> Iterator[Pod]:
    process = Process("edge-1", [sys.executable, "-c", code], World(pack=folder), {})
    process.start()
    try:
        until(lambda: "ready" in process.output, "it runs")
        yield Pod(role, 1, "127.0.2.1", 8000, process, TIMES)
    finally:
        process.end()


def test_a_deleted_edge_leaves_the_balancer_first_and_is_then_told_to_stop(tmp_path: Path) -> None:
    front, notes = Front(), list[str]()
    with pod(tmp_path, DRAINS) as edge:
        retiring = Retiring(edge, deleted=100.0)
        retiring.step(100.5, front, notes.append)
        assert front.told == []
        retiring.step(101.0, front, notes.append)
        assert front.told == ["edge-1 drains"]
        assert edge.process.is_running
        ended = retiring.step(105.0, front, notes.append)
        assert notes[0] == "edge-1 gets SIGTERM"
        until(lambda: not edge.process.is_running, "it has ended")
        ended = ended or retiring.step(107.0, front, notes.append)  # it may end within a step
    assert ended is not None
    assert replace(ended, seconds=7.0) == Retired("edge-1", 7.0, 0, 60.0)
    assert ended.is_clean
    assert front.told == ["edge-1 drains", "edge-1 is gone"]


def test_who_does_not_end_in_its_grace_period_is_killed(tmp_path: Path) -> None:
    with pod(tmp_path, STUBBORN) as edge:
        retiring = Retiring(edge, deleted=100.0)
        assert retiring.step(159.0, Front(), lambda _: None) is None
        ended = retiring.step(160.0, Front(), lambda _: None)
    assert ended == Retired("edge-1", 60.0, KILLED, 60.0)
    assert not ended.is_clean


def test_an_inference_server_is_of_no_balancer(tmp_path: Path) -> None:
    front = Front()
    with pod(tmp_path, DRAINS, Role.INFERENCE) as server:
        retiring = Retiring(server, deleted=100.0)
        ended = retiring.step(106.0, front, lambda _: None)
        until(lambda: not server.process.is_running, "it has ended")
        assert ended or retiring.step(107.0, front, lambda _: None)
    assert front.told == []


def test_a_process_may_be_frozen_killed_and_started_again(tmp_path: Path) -> None:
    with pod(tmp_path, DRAINS) as edge:
        edge.process.freeze()
        assert edge.process.is_running
        edge.process.kill()
        until(lambda: not edge.process.is_running, "it is gone")
        edge.process.start()
        until(lambda: "ready" in edge.process.output, "it runs again")
        edge.process.ask_to_end()
        assert edge.process.ended() == 0


def test_a_process_is_asked_to_end_by_its_own_signal(tmp_path: Path) -> None:
    code = DRAINS.replace("SIGTERM", "SIGINT")
    command = [sys.executable, "-c", code]
    process = Process("store", command, World(pack=tmp_path), {}, stop_signal=signal.SIGINT)
    process.start()
    until(lambda: "ready" in process.output, "it runs")
    process.ask_to_end()
    assert process.ended() == 0


def test_a_pod_that_is_not_there_is_not_ready(tmp_path: Path) -> None:
    process = Process("edge-1", [sys.executable, "-c", ""], World(pack=tmp_path), {})
    absent = Pod(Role.EDGE, 1, "127.0.0.1", free_port(), process, TIMES)
    assert absent.readyz() == (0, {})
    assert not absent.is_alive()
    assert not absent.is_ready
