"""HAProxy as the rehearsals use it: who gets requests while edges come, drain and die."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.kit.world import World
from bench.rollout.balancer import SLOTS, VARIABLE, Balancer, balancer
from tests.faults.outages import free_port, until


class Edge(BaseHTTPRequestHandler):
    """Ready, and answers with its own name."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, ThreadingHTTPServer)
        name = str(self.server.server_port).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(name)))
        self.end_headers()
        self.wfile.write(name)

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is for what went wrong."""


@contextmanager
def edge() -> Iterator[str]:
    """One that listens; its port is its name."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Edge) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield str(server.server_port)
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Balancer]:
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    if not (os.environ.get(VARIABLE) or shutil.which("haproxy", path=places)):
        pytest.skip("no HAProxy here: install Debian's package haproxy")
    with balancer(World(pack=tmp_path), free_port()) as running:
        yield running


def ask(front: Balancer, request_id: str = "any") -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", front.port, timeout=20)
    try:
        connection.request("GET", "/", headers={"X-Request-Id": request_id})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_without_an_edge_the_balancer_says_when_to_come_back(front: Balancer) -> None:
    connection = HTTPConnection("127.0.0.1", front.port, timeout=20)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert b'"no_edge_is_ready"' in answer.read()
    connection.close()


def test_an_edge_that_drains_gets_nothing_new_and_its_slot_is_used_again(front: Balancer) -> None:
    with edge() as first, edge() as second:
        slot = front.add("edge-1", "127.0.0.1", int(first))
        assert ask(front, "to-the-first") == (200, first)
        front.add("edge-2", "127.0.0.1", int(second))
        front.drain("edge-1")
        assert {ask(front) for _ in range(6)} == {(200, second)}
        front.forget("edge-1")
        for number in range(SLOTS):
            front.add(f"another-{number}", "127.0.0.1", int(second))
            front.forget(f"another-{number}")
        assert {ask(front) for _ in range(6)} == {(200, second)}
        until(lambda: "to-the-first" in front.routed(), "it is in the log")
        assert front.routed()["to-the-first"].server == slot


def test_requests_for_an_edge_that_died_go_to_another_one(front: Balancer) -> None:
    with edge() as second:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            front.add("edge-1", "127.0.0.1", nobody.getsockname()[1])
            front.add("edge-2", "127.0.0.1", int(second))
            assert {ask(front) for _ in range(4)} == {(200, second)}
        until(lambda: front.notices() != [], "the balancer has seen that it is down")
