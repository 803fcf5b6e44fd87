"""Processes that are told to stop, or die, while every client searches: who loses an answer."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from cli.running.service_file import find_service
from tests.faults.outages import small, until
from tests.integration.processes import Running, run, start, start_inference
from tests.integration.search_load import SearchLoad, accepted, assert_none_was_lost
from tests.integration.system import KEY, client_of
from tests.integration.test_edge import stores_in_memory

pytestmark = [pytest.mark.slow, pytest.mark.pack]

STOP_SECONDS = 60.0


@pytest.fixture(scope="module")
def selfie(shared: Path) -> bytes:
    return small(shared / "data/photos/RD_d3.jpeg")


@pytest.fixture(scope="module")
def inference(pack_dir: Path) -> Iterator[Running]:
    with start_inference(pack_dir) as running:
        yield running


def test_sigterm_under_full_load_loses_no_request_that_the_edge_took(
    tmp_path: Path, inference: Running, selfie: bytes
) -> None:
    with start("edge", stores_in_memory(tmp_path, inference.address)) as edge:
        with client_of(edge) as client:
            client.put_photo("him", selfie)
        with SearchLoad(edge.url, selfie) as load:
            load.wait_for(20)
            edge.send(signal.SIGTERM)
            assert edge.wait(STOP_SECONDS) == 0
    assert_none_was_lost(load.outcomes(), accepted(edge))


def test_sigterm_of_the_whole_service_under_full_load_loses_no_request_that_it_took(
    tmp_path: Path, pack_dir: Path, selfie: bytes
) -> None:
    data = tmp_path / "data"
    options = ("--data-dir", str(data), "--pack", str(pack_dir), "--port", "0", "--logs")
    with run([sys.executable, "-m", "cli.main", "up", *options], {"API_KEY": KEY}) as service:
        until(lambda: find_service(data) is not None, "the service is up")
        found = find_service(data)
        assert found is not None
        httpx2.put(f"{found.url}/photos/him", files={"image": selfie}, headers={"X-Api-Key": KEY})
        with SearchLoad(found.url, selfie) as load:
            load.wait_for(20)
            service.send(signal.SIGTERM)
            assert service.wait(STOP_SECONDS) == 0
        assert "Traceback" not in service.text()
    assert_none_was_lost(load.outcomes(), accepted(service))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda how: how.name)
def test_of_two_inference_servers_one_goes_under_full_load_and_no_search_fails(
    tmp_path: Path, pack_dir: Path, inference: Running, selfie: bytes, how: signal.Signals
) -> None:
    with (
        start_inference(pack_dir) as goes,
        start("edge", stores_in_memory(tmp_path, f"{goes.address},{inference.address}")) as edge,
    ):
        with client_of(edge) as client:
            client.put_photo("him", selfie)
        with SearchLoad(edge.url, selfie) as load:
            load.wait_for(20)
            goes.wait_for_event("request")  # both take part
            goes.send(how)
            code = goes.wait(STOP_SECONDS)
            load.wait_for(40)
    outcomes = load.outcomes()
    assert [outcome for outcome in outcomes if outcome.status != 200] == []
    if how is signal.SIGKILL:
        # Some were in flight there, and were sent again.
        edge.wait_for_event("inference_unavailable")
    else:
        assert code == 0
        assert {line["status"] for line in goes.events("request")} == {"OK"}


def test_of_two_inference_servers_one_hangs_under_full_load_and_no_search_fails(
    tmp_path: Path, pack_dir: Path, inference: Running, selfie: bytes
) -> None:
    with (
        start_inference(pack_dir) as hangs,
        start("edge", stores_in_memory(tmp_path, f"{hangs.address},{inference.address}")) as edge,
    ):
        with client_of(edge) as client:
            client.put_photo("him", selfie)
        with SearchLoad(edge.url, selfie) as load:
            load.wait_for(20)
            hangs.wait_for_event("request")  # both take part
            hangs.send(signal.SIGSTOP)
            try:
                load.wait_for(40)
                edge.wait_for_event("inference_silent")
                assert httpx2.get(f"{edge.url}/readyz").status_code == 200
            finally:
                hangs.send(signal.SIGCONT)
    assert [outcome for outcome in load.outcomes() if outcome.status != 200] == []
