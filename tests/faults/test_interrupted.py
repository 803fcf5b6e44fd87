"""Clients that go away half-way, and removals in the middle of an enrolment."""

from __future__ import annotations

import random
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.outages import found, is_away, put, small, until
from tests.faults.test_every_step import check
from tests.integration.processes import Running
from tests.integration.system import KEY, System, start_system

pytestmark = [pytest.mark.slow, pytest.mark.pack]

SEED = 20261121


@dataclass(frozen=True)
class Service:
    """Both processes and their data folder."""

    system: System
    data: Path

    def photo_files(self) -> list[Path]:
        """Finished ones and those on their way."""
        return [
            file
            for file in (self.data / "photos").rglob("*")
            if file.is_file() and not file.name.startswith("ping.")
        ]

    @contextmanager
    def enrolment_at_work(self) -> Iterator[None]:
        """Inference stands still; leaving the block lets it go on."""
        self.system.inference.send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.system.inference.send(signal.SIGCONT)

    def until_bytes_are_kept(self, files: int) -> None:
        """The enrolment is between its photo and its vectors: inference is asked now."""
        until(lambda: len(self.photo_files()) == files, "the bytes are kept")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, pack_dir: Path) -> Iterator[Service]:
    data = tmp_path_factory.mktemp("data")
    settings = {
        "EDGE_DEFAULT_TIMEOUT_SECONDS": "20",
        "EDGE_MAX_TIMEOUT_SECONDS": "20",  # a write of which nobody knows expires after two of them
        "EDGE_SWEEP_SECONDS": "5",
    }
    with start_system(data, pack_dir, **settings) as system:
        yield Service(system, data)


@pytest.fixture
def service(running: Service) -> Iterator[Service]:
    """With an empty base, and nothing left over of the last test."""
    yield running
    running.system.client.http.delete("/remove_all/")
    until(lambda: running.photo_files() == [], "everything is collected")


@pytest.fixture(scope="module")
def woman(shared: Path) -> bytes:
    return small(shared / "data/photos/bulk_yifei.jpg")


@pytest.fixture(scope="module")
def man(shared: Path) -> bytes:
    return small(shared / "data/photos/bulk_Rob_Lowe_0001.jpg")


# Clients that go away


def request_of(name: str, image: bytes, request_id: str) -> bytes:
    """PUT /photos/{name} as it goes over the wire."""
    body = (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="p"\r\n\r\n'
        + image
        + b"\r\n--b--\r\n"
    )
    head = (
        f"PUT /photos/{name} HTTP/1.1\r\nHost: edge\r\nX-Api-Key: {KEY}\r\n"
        f"X-Request-Id: {request_id}\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    return head.encode() + body


def send_to(edge: Running, data: bytes) -> socket.socket:
    """A connection on which so much was sent."""
    connection = socket.create_connection(("127.0.0.1", edge.port))
    connection.sendall(data)
    return connection


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_client_that_goes_while_it_sends_leaves_no_trace(
    service: Service, woman: bytes, share: float
) -> None:
    edge, client = service.system.edge, service.system.client
    request_id = f"cut-at-{share}"
    request = request_of("cut", woman, request_id)
    head = request.index(b"\r\n\r\n") + 4
    with send_to(edge, request[: head + int((len(request) - head) * share)]):
        pass
    edge.wait_for_event("request", request_id=request_id)
    assert client.listing() == []
    assert service.photo_files() == []
    assert not edge.events("internal error")


def test_a_client_that_goes_while_its_photo_is_at_work_leaves_no_trace_or_a_whole_photo(
    service: Service, woman: bytes
) -> None:
    edge, client = service.system.edge, service.system.client
    with service.enrolment_at_work(), send_to(edge, request_of("gone", woman, "gone-at-work")):
        service.until_bytes_are_kept(1)
    edge.wait_for_event("request", request_id="gone-at-work")
    assert_consistent(service, woman, {"gone"})
    assert put(client, "gone", woman).status_code == 200
    assert found(client, woman) == ["gone"]


def test_clients_that_go_at_any_moment_leave_no_trace_or_whole_photos(
    service: Service, woman: bytes
) -> None:
    dice = random.Random(SEED)
    edge = service.system.edge
    names = {f"gone-{number}" for number in range(16)}
    for name in sorted(names):
        with send_to(edge, request_of(name, woman, name)):
            threading.Event().wait(dice.uniform(0, 0.2))  # a random moment of its work
    for name in names:
        edge.wait_for_event("request", request_id=name)
    assert_consistent(service, woman, names)
    assert not edge.events("internal error")


def assert_consistent(service: Service, image: bytes, possible: set[str]) -> None:
    """What is listed is found, with its bytes; nothing else is there."""
    client = service.system.client
    listed = {item["photo_id"] for item in client.listing()}
    assert listed <= possible
    assert set(found(client, image)) == listed
    for name in listed:
        assert client.http.get(f"/photos/{name}/image").content == image
    until(lambda: len(service.photo_files()) == len(listed), "the rest is collected")
    # The vectors of a write that failed are collected by the next sweep.
    until(lambda: check(service.data).problems == 0, "facesearch check finds nothing", seconds=20)


# Removals


def test_a_photo_removed_while_it_is_replaced_is_gone(
    service: Service, woman: bytes, man: bytes
) -> None:
    client = service.system.client
    client.put_photo("one", woman)
    with ThreadPoolExecutor(1) as caller:
        with service.enrolment_at_work():
            replacing = caller.submit(put, client, "one", man)
            service.until_bytes_are_kept(2)
            removed = client.http.delete("/remove/one")
            assert removed.json() == {"photo_id": "one", "faces_removed": 1}
            assert client.listing() == []
        answer = replacing.result()
    # Never acknowledged and missing, never there without having been acknowledged.
    assert is_away(answer, "records_unavailable"), answer.text
    assert client.listing() == []
    assert found(client, woman) == found(client, man) == []
    assert put(client, "one", man).status_code == 200
    assert found(client, man) == ["one"]
    assert_consistent(service, man, {"one"})


def test_removing_everything_ends_what_is_being_enrolled(
    service: Service, woman: bytes, man: bytes
) -> None:
    client = service.system.client
    client.put_photo("there", woman)
    with ThreadPoolExecutor(1) as caller:
        with service.enrolment_at_work():
            enrolling = caller.submit(put, client, "new", man)
            service.until_bytes_are_kept(2)
            removed = client.http.delete("/remove_all/")
            assert removed.json() == {"photos_removed": 1, "faces_removed": 1}
        answer = enrolling.result()
    there = {"new"} if answer.status_code == 200 else set()
    assert there or is_away(answer, "records_unavailable")
    assert {item["photo_id"] for item in client.listing()} == there
    assert set(found(client, man)) == there
    assert found(client, woman) == []
    assert_consistent(service, man, there)


def test_enrolments_and_removals_of_one_name_at_once_end_whole(
    service: Service, woman: bytes, man: bytes
) -> None:
    client = service.system.client

    def work(number: int) -> int:
        if number % 3 == 2:
            return client.http.delete("/remove/one").status_code
        return put(client, "one", (woman, man)[number % 3]).status_code

    with ThreadPoolExecutor(9) as callers:
        answers = list(callers.map(work, range(27)))
    assert set(answers) <= {200, 404, 503}
    assert 200 in answers
    shown = (set(found(client, woman)), set(found(client, man)))
    assert shown in (({"one"}, set()), (set(), {"one"}), (set(), set()))
    assert {item["photo_id"] for item in client.listing()} == shown[0] | shown[1]
    assert_consistent(service, woman if shown[0] else man, {"one"})
