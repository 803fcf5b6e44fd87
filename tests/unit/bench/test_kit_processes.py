"""What a benchmark starts ends with it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.kit import process_tree
from bench.kit.child import StartFailed, started
from bench.kit.world import ROOT, World

SERVES = 'import time; print(\'{"event": "serving", "port": 7}\', flush=True); time.sleep(60)'
STARTS_ONE = f"""
from pathlib import Path
from bench.kit.child import started
from bench.kit.world import World
import sys, time
with started("x", [sys.executable, "-c", {SERVES!r}], World(Path(".")), {{}}) as child:
    child.serving()
    print(child.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(pack=tmp_path)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_process_ends_when_the_benchmark_fails(world: World) -> None:
    seen: list[int] = []

    def fail_amid() -> None:
        with started("x", [sys.executable, "-c", SERVES], world, {}) as child:
            assert child.serving()["port"] == 7
            assert is_alive(child.pid)
            seen.append(child.pid)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_amid()
    assert not is_alive(seen[0])


def test_a_process_ends_on_ctrl_c_though_a_shell_started_the_benchmark_in_its_background(
    world: World,
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as such a shell leaves it
    try:
        with started("x", [sys.executable, "-c", SERVES], world, {}) as child:
            child.serving()
            os.kill(child.pid, signal.SIGINT)
            assert child.ended() != 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_process_that_ends_before_it_serves_says_why(world: World) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no such pack')"]
    with (
        started("x", command, world, {}) as child,
        pytest.raises(StartFailed, match="no such pack"),
    ):
        child.serving()


def test_a_process_does_not_outlive_a_benchmark_that_is_killed_hard() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_ONE], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as benchmark:
        assert benchmark.stdout is not None
        child = int(benchmark.stdout.readline())
        assert is_alive(child)
        os.kill(benchmark.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(child)


def test_settings_go_over_the_present_environment(world: World) -> None:
    says = (
        "import os, json, time; "
        "print(json.dumps({'event': 'serving', 'said': os.environ['A_SETTING']}), flush=True); "
        "time.sleep(60)"
    )
    with started("x", [sys.executable, "-c", says], world, {"A_SETTING": 5}) as child:
        assert child.serving()["said"] == "5"


def test_cpu_time_of_a_process_counts_what_it_started() -> None:
    burn = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); input()"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 20
        while process_tree.cpu_seconds(process.pid) < 0.3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process_tree.cpu_seconds(process.pid) >= 0.3
        assert process_tree.rss_bytes(process.pid) > 1_000_000
        process.communicate(b"\n")
    assert process_tree.cpu_seconds(process.pid) == 0
