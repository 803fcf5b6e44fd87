"""`facesearch index s3://…` into a real edge: nothing twice, nothing forgotten, killed or not."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.contract.s3_process import Key, S3Process
from tests.integration.processes import Running, run
from tests.integration.system import KEY, edge_environment
from tests.unit.edge.inference_server import Context, ScriptedInference, serving

pytestmark = pytest.mark.slow

_PATIENCE_SECONDS = 120
PHOTOS = 25
"""Of which the listing of the server has three pages."""


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Process]:
    with S3Process() as server:
        yield server


@asynccontextmanager
async def edge_over(inference: ScriptedInference, folder: Path) -> AsyncIterator[Running]:
    environment = edge_environment(folder / "data", inference.target)
    with run([sys.executable, "-m", "edge"], environment) as edge:
        await asyncio.to_thread(edge.wait_until_serving)
        yield edge


@dataclass(frozen=True)
class Indexing:
    """The command, for one bucket and one edge."""

    edge: Running
    s3: S3Process
    bucket: str
    cache: Path

    def started(self, key: Key, *flags: str) -> Any:
        environment = self.s3.environment(self.bucket, key, XDG_CACHE_HOME=str(self.cache))
        del environment["STORAGE_PHOTOS_URL"]
        command = [sys.executable, "-m", "cli.main", "index", f"s3://{self.bucket}/album"]
        flags = ("--url", self.edge.url, "--key", KEY, "--json", *flags)
        return run([*command, *flags], environment)

    async def report(self, key: Key, *flags: str) -> dict[str, Any]:
        """Of a run to its end."""
        with self.started(key, *flags) as process:
            await asyncio.to_thread(process.wait, _PATIENCE_SECONDS)
            text = "\n".join(process.lines("stdout"))
            assert text, process.text()
            report = json.loads(text)
            assert isinstance(report, dict)
            return report

    async def listed(self) -> dict[str, str]:
        """What the edge has: photo_id and digest."""
        async with httpx2.AsyncClient(base_url=self.edge.url) as client:
            answer = await client.get(
                "/embed_status/", params={"limit": "1000"}, headers={"X-Api-Key": KEY}
            )
        return {item["photo_id"]: item["sha256"] for item in answer.json()["items"]}


def counts(report: dict[str, Any]) -> tuple[int, int, int]:
    """How many were indexed, were unchanged, failed."""
    assert report["is_consistent"]
    return report["indexed"], report["unchanged"], len(report["failed"])


async def test_a_bucket_is_indexed_once_and_what_changes_is_sent_again(
    s3: S3Process, tmp_path: Path
) -> None:
    bucket, inference = s3.empty_bucket(), ScriptedInference()
    for number in range(PHOTOS):
        s3.put(bucket, f"album/day%20{number % 2}/{number:02}.jpg", f"photo {number}")
    s3.put(bucket, "album/notes.txt", "no photo")
    reads, lists = s3.key("s3:GetObject", "s3:ListBucket"), s3.key("s3:ListBucket")
    async with serving(inference), edge_over(inference, tmp_path) as edge:
        index = Indexing(edge, s3, bucket, tmp_path / "cache")

        # Killed in the middle: inference holds the rest back.
        go_on = asyncio.Event()

        async def hold(_: Context) -> None:
            if len(inference.asked) > PHOTOS // 2:
                await go_on.wait()

        inference.always = hold
        with index.started(reads) as process:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                while len(await index.listed()) < PHOTOS // 2 - 8:
                    assert process.returncode is None, process.text()
                    await asyncio.sleep(0.05)
            process.kill()
        before = await index.listed()
        assert 0 < len(before) < PHOTOS
        go_on.set()

        report = await index.report(reads)
        indexed, unchanged, failed = counts(report)
        assert (indexed + unchanged, failed) == (PHOTOS, 0)
        assert unchanged >= len(before)
        assert report["passed_over"] == {".txt": 1}
        first = await index.listed()
        assert sorted(first) == sorted(f"day {n % 2}/{n:02}.jpg" for n in range(PHOTOS))

        # With a key that may not read: what is as it was needs no reading, and the rest is told.
        asked = len(inference.asked)
        s3.put(bucket, "album/day%200/04.jpg", "other 4")  # as long as it was
        report = await index.report(lists)
        assert counts(report) == (0, PHOTOS - 1, 1)
        assert report["failed"][0]["photo_id"] == "day 0/04.jpg"
        assert "may not read" in report["failed"][0]["reason"]
        assert len(inference.asked) == asked
        assert counts(await index.report(reads)) == (1, PHOTOS - 1, 0)
        second = await index.listed()
        assert {name for name in second if second[name] != first[name]} == {"day 0/04.jpg"}


async def test_a_bucket_without_photos_starts_nothing(s3: S3Process, tmp_path: Path) -> None:
    bucket, key = s3.empty_bucket(), s3.key()
    s3.put(bucket, "album/notes.txt", "no photo")
    environment = s3.environment(bucket, key, XDG_CACHE_HOME=str(tmp_path))
    data = tmp_path / "data"
    command = [sys.executable, "-m", "cli.main", "index", f"s3://{bucket}/album"]
    with run([*command, "--data-dir", str(data)], environment) as process:
        assert await asyncio.to_thread(process.wait, _PATIENCE_SECONDS) == 2
        assert f"no photos below s3://{bucket}/album, only others: 1 .txt" in process.text()
    assert not data.exists()
