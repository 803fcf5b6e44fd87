"""`python -m edge.health` asks what /readyz says, and is as short as it can be."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edge import health
from edge.settings import EdgeSettings
from tests.conftest import ROOT


class Answering(ThreadingHTTPServer):
    """Answers /readyz, and only that, with a status that a test may change."""

    def __init__(self) -> None:
        self.status = HTTPStatus.OK
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def environment(self) -> dict[str, str]:
        return {"EDGE_HOST": "0.0.0.0", "EDGE_PORT": str(self.server_port)}  # noqa: S104  # as in the image


class _Handler(BaseHTTPRequestHandler):
    server: Answering

    def do_GET(self) -> None:
        self.send_response(self.server.status if self.path == "/readyz" else HTTPStatus.NOT_FOUND)
        self.end_headers()
        self.wfile.write(b'{"status": "said"}')

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # its own name
        pass


@pytest.fixture
def edge() -> Iterator[Answering]:
    with Answering() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_edge_that_is_ready_is_healthy(edge: Answering) -> None:
    assert health.ask(edge.environment) == (True, '{"status": "said"}')


def test_one_that_is_not_ready_is_not_and_says_why(edge: Answering) -> None:
    edge.status = HTTPStatus.SERVICE_UNAVAILABLE
    assert health.ask(edge.environment) == (False, '{"status": "said"}')


def test_where_nobody_listens_nothing_is_healthy(edge: Answering) -> None:
    environment = edge.environment
    edge.server_close()
    is_ready, said = health.ask(environment)
    assert not is_ready
    assert environment["EDGE_PORT"] in said


def test_the_command_prints_the_answer_and_ends_with_its_code(edge: Answering) -> None:
    edge.status = HTTPStatus.SERVICE_UNAVAILABLE
    command = [sys.executable, "-m", "edge.health"]
    ended = subprocess.run(
        command, env=edge.environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stdout == '{"status": "said"}\n'
    assert ended.stderr == ""


def test_its_defaults_are_those_of_the_settings() -> None:
    fields = EdgeSettings.model_fields
    assert fields["host"].default == health.DEFAULT_HOST
    assert str(fields["port"].default) == health.DEFAULT_PORT


def test_it_imports_nothing_that_takes_long() -> None:
    listed = "import edge.health, sys; print(*sys.modules)"
    modules = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT)!r}); {listed}",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"pydantic", "fastapi", "structlog", "asyncio"} & set(modules)
