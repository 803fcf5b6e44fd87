"""Several edge processes on one port, over a real Milvus server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.contract.milvus_process import MilvusProcess
from tests.integration.processes import Running, run
from tests.integration.system import KEY, edge_environment
from tests.unit.edge.inference_server import Context, ScriptedInference, serving

pytestmark = pytest.mark.slow

_PATIENCE_SECONDS = 60


@asynccontextmanager
async def two_workers(folder: Path, inference: ScriptedInference) -> AsyncIterator[Running]:
    with MilvusProcess(folder / "milvus") as milvus:
        settings = {"STORAGE_VECTORS_URL": milvus.url, "EDGE_WORKERS": "2"}
        environment = edge_environment(folder / "data", inference.target, **settings)
        with run([sys.executable, "-m", "edge"], environment) as edge:
            try:
                await asyncio.to_thread(edge.wait_until_serving)
                yield edge
            finally:
                # They are in groups of their own, and end when their parent has.
                edge.kill()
                await until(lambda: not any(map(is_alive, worker_pids(edge))))


def worker_pids(edge: Running) -> list[int]:
    """Of all that ever served, in that order."""
    return [int(str(line["pid"])) for line in edge.events("worker_serving")]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not happened():  # noqa: ASYNC110  # in other processes
            await asyncio.sleep(0.02)


async def search(edge: Running) -> httpx2.Response:
    """On a connection of its own: connections are what the workers share out."""
    async with httpx2.AsyncClient(base_url=edge.url, timeout=_PATIENCE_SECONDS) as client:
        # Never the same bytes: an edge remembers whom a selfie shows.
        selfie = b"\xff\xd8\xff" + os.urandom(8)
        return await client.post("/search/", files={"image": selfie}, headers={"X-Api-Key": KEY})


def searched_by(edge: Running) -> set[object]:
    """The numbers of the workers that answered a search so far."""
    return {line["worker"] for line in edge.events("request") if line["route"] == "/search/"}


async def test_workers_share_a_port_replace_one_that_is_killed_and_drain_together(
    tmp_path: Path,
) -> None:
    inference = ScriptedInference()
    async with serving(inference), two_workers(tmp_path, inference) as edge:
        searches = 0
        while searched_by(edge) != {1, 2}:
            assert (await search(edge)).status_code == 200
            searches += 1
            assert searches < 1_000

        # A scrape reaches one of them, and tells the figures of both.
        async with httpx2.AsyncClient() as client:
            figures = (await client.get(f"{edge.url}/metrics")).text
        series = 'request_seconds_count{method="POST",route="/search/",status="200"}'
        assert f"facesearch_edge_{series} {searches:.1f}" in figures

        os.kill(worker_pids(edge)[0], signal.SIGKILL)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(worker_pids(edge)) < 3:
                # Also while the new one opens its stores: it takes no connection before it serves.
                assert (await search(edge)).status_code == 200

        # SIGTERM while each has requests in flight.
        go_on, begun = asyncio.Event(), len(inference.asked)

        async def wait(_: Context) -> None:
            await go_on.wait()

        inference.always = wait
        in_flight = [asyncio.create_task(search(edge)) for _ in range(16)]
        await until(lambda: len(inference.asked) == begun + len(in_flight))
        edge.send(signal.SIGTERM)
        await until(lambda: len(edge.events("draining")) == 2)
        go_on.set()
        assert [answer.status_code for answer in await asyncio.gather(*in_flight)] == [200] * 16
        assert await asyncio.to_thread(edge.wait) == 0


async def test_one_that_cannot_start_stops_them_all_and_says_why_once(tmp_path: Path) -> None:
    settings = {"STORAGE_VECTORS_URL": "http://127.0.0.1:1", "EDGE_WORKERS": "2", "API_KEY": ""}
    environment = edge_environment(tmp_path / "data", "127.0.0.1:1", **settings)
    with run([sys.executable, "-m", "edge"], environment) as edge:
        assert await asyncio.to_thread(edge.wait) == 2
        assert edge.text().count("there is no API key") == 1
