"""Children that serve, fail, hang, and lose their parent. Small processes, but real ones."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.errors import ExitCode
from cli.running.child import Child, ChildEnded, message_of

SERVING = 'print(\'{"event": "serving", "port": 4711, "level": "info"}\', flush=True)\n'
FOREVER = "import signal\nwhile True: signal.pause()\n"
GONE_SECONDS = 20.0

Speaker = Callable[[str], dict[str, str]]


@pytest.fixture
def speaker(tmp_path: Path) -> Speaker:
    """The environment in which `python -m speaker` runs this code."""

    def write(code: str) -> dict[str, str]:
        (tmp_path / "speaker.py").write_text(code)
        return {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}

    return write


def ignore(_name: str, _line: str) -> None:
    return


async def test_a_child_serves_when_it_says_so(speaker: Speaker) -> None:
    lines: list[str] = []
    child = await Child.start(
        "speaker", speaker(SERVING + FOREVER), lambda name, line: lines.append(f"{name} {line}")
    )
    assert (await child.serving())["port"] == 4711
    await child.stop(GONE_SECONDS)
    assert lines == ['speaker {"event": "serving", "port": 4711, "level": "info"}']


async def test_a_child_that_cannot_start_says_why_and_with_which_code(speaker: Speaker) -> None:
    code = "import sys\nprint('speaker: there is no pack', file=sys.stderr)\nsys.exit(2)\n"
    child = await Child.start("speaker", speaker(code), ignore)
    with pytest.raises(ChildEnded, match="speaker ended with code 2: there is no pack") as caught:
        await child.serving()
    assert caught.value.exit_code == ExitCode.USAGE


async def test_what_it_ends_with_is_said_by_its_death_alone(speaker: Speaker) -> None:
    lines: list[str] = []
    code = (
        "import sys\n"
        "print('speaker: a first try failed', flush=True)\n"
        'print(\'{"event": "again"}\', flush=True)\n'
        "print('speaker: there is no pack', file=sys.stderr)\n"
        "sys.exit(2)\n"
    )
    child = await Child.start("speaker", speaker(code), lambda _, line: lines.append(line))
    with pytest.raises(ChildEnded, match="there is no pack"):
        await child.serving()
    assert lines == ["speaker: a first try failed", '{"event": "again"}']


async def test_the_last_error_that_was_logged_is_what_it_died_of(speaker: Speaker) -> None:
    code = (
        'print(\'{"event": "no pack", "level": "error", "folder": "x"}\')\n'
        'print(\'{"event": "stopped", "level": "info"}\')\n'
    )
    child = await Child.start("speaker", speaker(code), ignore)
    with pytest.raises(ChildEnded, match=r"no pack \(folder: x\)") as caught:
        await child.serving()
    assert caught.value.exit_code == ExitCode.UNAVAILABLE  # it should not have ended at all


async def test_a_child_that_was_killed_says_so(speaker: Speaker) -> None:
    child = await Child.start("speaker", speaker(SERVING + FOREVER), ignore)
    await child.serving()
    os.kill(child.pid, signal.SIGKILL)
    await child.ended()
    assert "by SIGKILL" in str(child.death())
    assert child.death().exit_code == 128 + signal.SIGKILL


async def test_a_child_that_does_not_want_to_end_is_made_to(speaker: Speaker) -> None:
    code = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVING + FOREVER
    child = await Child.start("speaker", speaker(code), ignore)
    await child.serving()
    await child.stop(timeout_seconds=0.2)
    assert "by SIGKILL" in str(child.death())


async def test_stopping_what_has_ended_is_fine(speaker: Speaker) -> None:
    child = await Child.start("speaker", speaker("pass"), ignore)
    await child.ended()
    await child.stop(GONE_SECONDS)


async def test_a_line_without_end_does_not_stop_the_reading(speaker: Speaker) -> None:
    code = "print('x' * (3 << 20))\n" + SERVING + FOREVER
    child = await Child.start("speaker", speaker(code), ignore)
    assert (await child.serving())["port"] == 4711
    await child.stop(GONE_SECONDS)


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_a_parent_that_is_killed_hard_takes_its_child_along(speaker: Speaker) -> None:
    # The child ignores what can be ignored.
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    environment = speaker(stubborn + SERVING + FOREVER)
    parent_code = (
        "import asyncio, os\n"
        "from cli.running.child import Child\n"
        "async def main():\n"
        "    child = await Child.start('speaker', os.environ, lambda name, line: None)\n"
        "    await child.serving()\n"
        "    print(child.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_code], env=environment, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        child = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        try:
            ended, _, _ = select.select([child], [], [], GONE_SECONDS)
            assert ended, "the child outlived its parent"
        finally:
            os.close(child)


def test_a_log_line_is_told_without_its_bookkeeping() -> None:
    fields = {"event": "stopped", "level": "error", "timestamp": "now", "reason": "full"}
    assert message_of(fields) == "stopped (reason: full)"
