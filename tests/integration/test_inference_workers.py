"""`facesearch up` with several inference processes: they share the work, and one may die."""

from __future__ import annotations

import os
import select
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.faults.outages import small
from tests.integration.processes import Running
from tests.integration.search_load import SearchLoad, accepted, assert_none_was_lost
from tests.integration.test_cli import up

pytestmark = [pytest.mark.pack, pytest.mark.slow]

GONE_SECONDS = 60.0
CALLERS = 4


class Searches:
    """Searches for one face, each with other bytes: an edge remembers whom a selfie shows."""

    def __init__(self, url: str, key: str, selfie: bytes) -> None:
        self._url = url
        self._key = key
        self._selfie = selfie

    def one(self) -> int:
        """The status of an answer."""
        comment = b"\xff\xfe\x00\x0a" + os.urandom(8)
        selfie = self._selfie[:2] + comment + self._selfie[2:]
        headers = {"X-Api-Key": self._key}
        answer = httpx2.post(
            f"{self._url}/search/", files={"image": selfie}, headers=headers, timeout=60
        )
        return answer.status_code

    def many(self, count: int) -> list[int]:
        """Of several at a time."""
        with ThreadPoolExecutor(CALLERS) as callers:
            return list(callers.map(lambda _: self.one(), range(count)))


def inference_pids(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [
        pid
        for pid in map(int, listed.split())
        if Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").endswith("inference")
    ]


def cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def times_served(process: Running) -> int:
    """How often an inference process began to serve."""
    return sum("pack" in line for line in process.events("serving"))


@pytest.fixture
def selfie(shared: Path) -> Path:
    return shared / "data" / "photos" / "RD_d3.jpeg"


def test_they_share_the_work_one_that_is_killed_comes_back_and_all_of_them_end(
    tmp_path: Path, pack_dir: Path, selfie: Path
) -> None:
    with up(tmp_path / "data", pack_dir, "--inference-workers", "2", "--logs") as service:
        process = service.process
        assert service.key is not None
        searches = Searches(service.url, service.key, selfie.read_bytes())

        before = {pid: cpu_ticks(pid) for pid in inference_pids(process.pid)}
        assert len(before) == 2
        assert searches.many(24) == [200] * 24
        assert all(cpu_ticks(pid) > ticks for pid, ticks in before.items())

        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        # What it had in flight is sent again, to the other one.
        while times_served(process) < 3:
            assert searches.many(CALLERS) == [200] * CALLERS
        (said,) = process.events("inference_worker_ended")
        assert "SIGKILL" in str(said["cause"])

        held = [os.pidfd_open(pid) for pid in inference_pids(process.pid)]
        assert len(held) == 2
        with SearchLoad(service.url, small(selfie), clients=CALLERS, key=service.key) as load:
            load.wait_for(2 * CALLERS)
            process.send(signal.SIGTERM)
            assert process.wait() == 0
        assert_none_was_lost(load.outcomes(), accepted(process))
        for each in held:
            assert select.select([each], [], [], GONE_SECONDS)[0]
            os.close(each)
