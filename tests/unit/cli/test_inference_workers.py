"""Servers that serve, die and come back. Small processes in place of inference, but real ones."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cli.errors import ExitCode
from cli.running.child import ChildEnded, log_fields
from cli.running.inference_workers import InferenceWorkers

STOP_SECONDS = 20.0
SERVES_ONCE = """
import os, signal, sys
if os.path.exists(os.environ["MARK"]):
    sys.exit("there is no pack")
open(os.environ["MARK"], "w").close()
"""
SERVES = """
print('{"event": "serving", "level": "info"}', flush=True)
import signal
while True: signal.pause()
"""

Environment = Callable[..., dict[str, str]]


@pytest.fixture
def server(tmp_path: Path) -> Environment:
    """The environment in which `python -m inference` runs this code."""

    def write(code: str, name: str = "one") -> dict[str, str]:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "inference.py").write_text(code)
        return os.environ | {
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MARK": str(folder / "mark"),
        }

    return write


@asynccontextmanager
async def started(
    *environments: dict[str, str], lines: list[str] | None = None
) -> AsyncIterator[InferenceWorkers]:
    heard = lines if lines is not None else []
    workers = await InferenceWorkers.start(environments, lambda _, text: heard.append(text))
    try:
        async with asyncio.timeout(STOP_SECONDS):
            yield workers
    finally:
        await workers.stop(STOP_SECONDS)


async def test_of_several_one_that_dies_is_started_again(server: Environment) -> None:
    lines: list[str] = []
    async with started(server(SERVES), server(SERVES), lines=lines) as workers:
        await workers.serving()
        first, second = workers.pids
        os.kill(first, signal.SIGKILL)
        while workers.pids[0] == first:  # noqa: ASYNC110  # in another process
            await asyncio.sleep(0.01)
        await workers.serving()
        assert workers.pids[1] == second
    (said,) = (log_fields(line) for line in lines if "inference_worker_ended" in line)
    assert said["worker"] == 1
    assert "SIGKILL" in str(said["cause"])


async def test_one_alone_is_not_started_again(server: Environment) -> None:
    async with started(server(SERVES)) as workers:
        await workers.serving()
        os.kill(workers.pids[0], signal.SIGKILL)
        assert "inference ended by SIGKILL" in str(await workers.death())


async def test_one_that_cannot_start_keeps_all_from_serving(server: Environment) -> None:
    cannot = server("import sys\nsys.exit('there is no pack')\n", "two")
    async with started(server(SERVES), cannot) as workers:
        with pytest.raises(ChildEnded, match="there is no pack"):
            await workers.serving()


async def test_they_give_up_once_none_serves_and_none_can_be_started(server: Environment) -> None:
    each = [server(SERVES_ONCE + SERVES, name) for name in ("one", "two")]
    async with started(*each) as workers:
        await workers.serving()
        for pid in workers.pids:
            os.kill(pid, signal.SIGKILL)
        death = await workers.death()
    assert "there is no pack" in str(death)
    assert death.exit_code != ExitCode.DONE
