"""The audit log of real edges."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.integration.processes import run
from tests.integration.system import KEY, edge_environment
from tests.unit.edge.inference_server import ScriptedInference, serving

pytestmark = pytest.mark.slow

PHOTO = b"\xff\xd8\xff and more"


def entries(log: Path) -> list[tuple[str, str, str]]:
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.read_text().splitlines()]
    return [(line["action"], line["outcome"], line["photo_id"]) for line in lines]


async def on_edge(log: Path | str, folder: Path, work: Callable[[httpx2.AsyncClient], Any]) -> str:
    """What an edge wrote on standard output while `work` was done with it."""
    inference = ScriptedInference()
    async with serving(inference):
        environment = edge_environment(
            folder / "data", inference.target, EDGE_AUDIT_LOG=str(log), EDGE_LOG_LEVEL="info"
        )
        with run([sys.executable, "-m", "edge"], environment) as edge:
            await asyncio.to_thread(edge.wait_until_serving)
            async with httpx2.AsyncClient(
                base_url=edge.url, headers={"X-Api-Key": KEY}, timeout=60
            ) as client:
                await work(client)
            assert await asyncio.to_thread(edge.terminate) == 0
            return "\n".join(edge.lines("stdout"))


async def put(client: httpx2.AsyncClient, photo_id: str) -> None:
    answer = await client.put(f"/photos/{photo_id}", files={"image": PHOTO})
    assert answer.status_code == 200, answer.text


async def test_a_line_is_in_the_file_before_the_answer_and_the_file_may_be_rotated(
    tmp_path: Path,
) -> None:
    log, rotated = tmp_path / "audit.jsonl", tmp_path / "audit.jsonl.1"

    async def work(client: httpx2.AsyncClient) -> None:
        await put(client, "a")
        assert entries(log) == [("put_photo", "done", "a")]
        log.rename(rotated)
        await client.delete("/remove/a")
        assert entries(log) == [("remove", "done", "a")]

    await on_edge(log, tmp_path, work)
    assert entries(rotated) == [("put_photo", "done", "a")]


async def test_on_standard_output_lines_stand_among_those_of_the_log(tmp_path: Path) -> None:
    async def work(client: httpx2.AsyncClient) -> None:
        await put(client, "a")

    written = await on_edge("stdout", tmp_path, work)
    lines = [json.loads(line) for line in written.splitlines()]
    told = [line for line in lines if line["event"] == "audit"]
    assert [line["photo_id"] for line in told] == ["a"]
    assert [line["request_id"] for line in told] == [
        line["request_id"] for line in lines if line["event"] == "request"
    ]


async def test_an_edge_that_cannot_open_its_audit_log_does_not_start(tmp_path: Path) -> None:
    log = tmp_path / "nowhere" / "audit.jsonl"
    environment = edge_environment(tmp_path / "data", "127.0.0.1:1", EDGE_AUDIT_LOG=str(log))
    with run([sys.executable, "-m", "edge"], environment) as edge:
        assert await asyncio.to_thread(edge.wait) == 2
        (line,) = edge.lines("stderr")
    assert line.startswith(f"edge: EDGE_AUDIT_LOG={log} cannot be appended to: No such file")
