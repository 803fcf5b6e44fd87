"""A service elsewhere is taken once it answers to the key."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.acceptance.deployed import Elsewhere, NotReady, service_elsewhere

Said = tuple[int, dict[str, object]]
UNAUTHORIZED: Said = (401, {"code": "unauthorized"})
AWAY: Said = (503, {"code": "records_unavailable"})
LISTED: Said = (200, {"items": [], "next_cursor": None, "total": 0})


@contextmanager
def answering(answers: Sequence[Said]) -> Iterator[str]:
    """The URL of a server that gives these answers, the last one again and again."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = left.pop(0) if len(left) > 1 else left[0]
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            serving.join()


def test_a_key_that_is_refused_ends_the_wait_at_once() -> None:
    with (
        answering([UNAUTHORIZED]) as url,
        pytest.raises(NotReady, match="401 unauthorized"),
        service_elsewhere(Elsewhere(url, "wrong")),
    ):
        pytest.fail("the service was taken")


def test_a_service_that_is_on_its_way_is_waited_for() -> None:
    with answering([AWAY, LISTED]) as url, service_elsewhere(Elsewhere(url, "key")) as deployed:
        assert (deployed.url, deployed.is_ours) == (url, False)
        assert deployed.patience_seconds > 5  # how late a cluster of Milvus may show additions
