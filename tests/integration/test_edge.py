"""The edge as a process: its start, its answers over real sockets, its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from tests.integration.processes import Running, clean_environment, run, start
from tests.integration.system import KEY, edge_environment, start_edge

AUTH = {"X-Api-Key": KEY}
NOWHERE = "127.0.0.1:9"  # the discard port: nobody listens
MIB = 1024 * 1024


def stores_in_memory(data: Path, inference: str = NOWHERE, **settings: str) -> dict[str, str]:
    """An edge that is up in a moment."""
    memory = {f"STORAGE_{name}_URL": "memory://" for name in ("VECTORS", "RECORDS", "PHOTOS")}
    return edge_environment(data, inference, **(memory | settings))


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """An edge without inference, its stores in memory."""
    with start("edge", stores_in_memory(tmp_path_factory.mktemp("data"))) as edge:
        yield edge


def refused(environment: dict[str, str]) -> str:
    """What an edge says that does not start."""
    with run([sys.executable, "-m", "edge"], clean_environment(environment)) as edge:
        assert edge.wait() == 2
        said = edge.lines("stderr")
    assert len(said) == 1
    return said[0]


# Answers that come before the end of the body


@pytest.mark.parametrize(
    ("key", "size", "is_chunked", "status", "code"),
    [
        (KEY, 21 * MIB, False, 413, "image_too_large"),
        (KEY, 21 * MIB, True, 413, "image_too_large"),
        (KEY, 20 * MIB + 1, False, 413, "image_too_large"),
        ("wrong", 6 * MIB, False, 401, "unauthorized"),
        ("wrong", 6 * MIB, True, 401, "unauthorized"),
    ],
)
def test_an_early_answer_reaches_a_client_that_still_sends(
    light: Running, key: str, size: int, is_chunked: bool, status: int, code: str
) -> None:
    def body() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="p"\r\n\r\n'
        for start_at in range(0, size, 64 * 1024):
            yield b"x" * min(64 * 1024, size - start_at)
        yield b"\r\n--b--\r\n"

    headers = {"X-Api-Key": key, "Content-Type": "multipart/form-data; boundary=b"}
    content: bytes | Iterator[bytes] = body() if is_chunked else b"".join(body())
    answer = httpx2.put(f"{light.url}/photos/p", content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_memory_stays_flat_under_bodies_that_are_too_large(light: Running) -> None:
    def peak() -> int:
        status = Path(f"/proc/{light.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)

    headers = {**AUTH, "Content-Type": "multipart/form-data; boundary=b"}
    before = peak()
    for _ in range(4):
        chunks = (b"x" * 64 * 1024 for _ in range(16 * 40))
        answer = httpx2.put(f"{light.url}/photos/p", content=chunks, headers=headers)
        assert answer.status_code in (400, 413)
    assert peak() - before < 40 * 1024  # KiB


def test_a_connection_is_used_again_after_an_answer(light: Running) -> None:
    with httpx2.Client(headers=AUTH) as client:
        addresses = set()
        for _ in range(3):
            with client.stream("GET", f"{light.url}/embed_status/") as answer:
                answer.read()
                stream = answer.extensions["network_stream"]
                addresses.add(stream.get_extra_info("client_addr"))
    assert len(addresses) == 1


@pytest.mark.parametrize("target", ["/photos/..", "/photos/%2e%2e", "/photos/a%2F..%2Fb"])
def test_a_path_is_routed_as_it_was_sent(light: Running, target: str) -> None:
    with socket.create_connection(("127.0.0.1", light.port)) as connection:
        connection.sendall(
            f"GET {target} HTTP/1.1\r\nHost: edge\r\nX-Api-Key: {KEY}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 404")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "photo_not_found"


def test_head_answers_without_a_body(light: Running) -> None:
    answer = httpx2.head(f"{light.url}/ping")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_client_that_stops_sending_is_answered_at_its_deadline(light: Running) -> None:
    with socket.create_connection(("127.0.0.1", light.port)) as connection:
        connection.sendall(
            f"PUT /photos/p HTTP/1.1\r\nHost: edge\r\nX-Api-Key: {KEY}\r\n"
            "X-Request-Timeout: 0.3\r\nContent-Length: 1000\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n".encode()
        )
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 504")


@pytest.mark.parametrize("head", ["X-Long: " + "x" * MIB, "X-Many: y\r\n" * 100_000])
def test_a_head_without_end_is_not_collected(light: Running, head: str) -> None:
    with socket.create_connection(("127.0.0.1", light.port)) as connection:
        with suppress(ConnectionError):  # closed while this still sends
            connection.sendall(f"GET /ping HTTP/1.1\r\nHost: edge\r\n{head}".encode())
        connection.settimeout(10)
        with suppress(ConnectionError):
            while connection.recv(65_536):
                pass
    assert httpx2.get(f"{light.url}/ping").status_code == 200


def test_many_requests_of_one_connection_have_a_head_each(light: Running) -> None:
    with httpx2.Client(headers={"X-Padding": "x" * 20_000}) as client:
        for _ in range(10):
            assert client.get(f"{light.url}/ping").status_code == 200


def test_inference_away_is_503_and_readyz_says_so(light: Running) -> None:
    files = {"image": ("p.jpg", b"\xff\xd8\xff anything")}
    answer = httpx2.post(f"{light.url}/search/", files=files, headers=AUTH)
    assert (answer.status_code, answer.json()["code"]) == (503, "inference_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "127.0.0.1" not in answer.text
    ready = httpx2.get(f"{light.url}/readyz")
    states = {name: part["state"] for name, part in ready.json()["dependencies"].items()}
    assert ready.status_code == 503
    assert states == {"inference": "unavailable", "vectors": "ok", "records": "ok", "photos": "ok"}


def test_no_key_is_ever_written(light: Running) -> None:
    httpx2.get(f"{light.url}/embed_status/", headers=AUTH)
    httpx2.get(f"{light.url}/embed_status/", headers={"X-Api-Key": "a-wrong-key"})
    light.wait_for_event("request")
    assert KEY not in light.text()
    assert "a-wrong-key" not in light.text()


# The start


def test_a_start_without_any_key_is_refused(tmp_path: Path) -> None:
    environment = stores_in_memory(tmp_path)
    del environment["API_KEY"]
    said = refused(environment)
    assert "API_KEY" in said
    assert "facesearch keys create" in said


def test_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    said = refused(stores_in_memory(tmp_path, EDGE_SCORE_TRESHOLD="0.4"))
    assert "EDGE_SCORE_TRESHOLD" in said
    assert "EDGE_SCORE_THRESHOLD" in said


def test_a_port_in_use_is_refused(tmp_path: Path, light: Running) -> None:
    said = refused(stores_in_memory(tmp_path, EDGE_PORT=str(light.port)))
    assert "EDGE_PORT" in said


def test_a_data_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    in_the_way = tmp_path / "data"
    in_the_way.write_text("a file, not a folder")
    said = refused(edge_environment(in_the_way, NOWHERE))
    assert "data folder" in said


def test_a_folder_that_another_edge_has_open_is_refused(tmp_path: Path) -> None:
    with start_edge(tmp_path / "data", NOWHERE):
        said = refused(edge_environment(tmp_path / "data", NOWHERE))
    assert "open in another process" in said


# The end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with start("edge", stores_in_memory(tmp_path)) as edge:
        edge.send(number)
        assert edge.wait() == 0
        assert edge.events("stopped")
        assert not edge.lines("stderr")


def test_a_draining_edge_says_so_and_finishes_what_is_in_flight(tmp_path: Path) -> None:
    environment = stores_in_memory(tmp_path, EDGE_DRAIN_DELAY_SECONDS="30")
    with start("edge", environment) as edge:
        half = threading.Event()

        def slowly() -> Iterator[bytes]:
            yield b"--b\r\n"
            half.set()
            edge.wait_for_event("draining")
            yield b'Content-Disposition: form-data; name="collection_id"\r\n\r\na\r\n--b--\r\n'

        headers = {**AUTH, "Content-Type": "multipart/form-data; boundary=b"}
        answers: list[httpx2.Response] = []

        def send() -> None:
            answers.append(
                httpx2.request(
                    "DELETE", f"{edge.url}/remove_all/", content=slowly(), headers=headers
                )
            )

        client = threading.Thread(target=send)
        client.start()
        assert half.wait(10)
        edge.send(signal.SIGTERM)
        edge.wait_for_event("draining")
        ready = httpx2.get(f"{edge.url}/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "draining")
        client.join(10)
        assert [answer.status_code for answer in answers] == [200]
        os.kill(edge.pid, signal.SIGTERM)  # the second one does not wait
        assert edge.wait() == 128 + signal.SIGTERM
