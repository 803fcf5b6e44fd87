"""A collector for tests: takes OTLP over HTTP on a free port, and keeps every span."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

WAIT_SECONDS = 60.0
"""Generous: a test machine may be busy with other things."""


@dataclass(frozen=True)
class Received:
    """One span as it came over the wire."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    """"" for the first span of a trace."""
    links: Sequence[str]
    """Ids of the spans that it is linked with."""
    facts: Mapping[str, str]


class Receiver:
    """What came so far."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._spans: list[Received] = []
        self._bodies: list[bytes] = []
        self.url = ""

    def take(self, body: bytes) -> None:
        """Called for each message."""
        message = ExportTraceServiceRequest.FromString(body)
        spans = [
            Received(
                service=_facts(resource.resource.attributes)["service.name"],
                name=span.name,
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                links=[link.span_id.hex() for link in span.links],
                facts=_facts(span.attributes),
            )
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._changed:
            self._bodies.append(body)
            self._spans += spans
            self._changed.notify_all()

    @property
    def bytes(self) -> bytes:
        """Everything that came, as it came."""
        with self._changed:
            return b"".join(self._bodies)

    @property
    def spans(self) -> list[Received]:
        with self._changed:
            return list(self._spans)

    def wait_for(self, are_here: Callable[[Sequence[Received]], bool]) -> list[Received]:
        """Every span, once those that are waited for are among them."""
        end = time.monotonic() + WAIT_SECONDS
        with self._changed:
            while not are_here(self._spans):
                left = end - time.monotonic()
                assert left > 0, f"came only: {sorted(span.name for span in self._spans)}"
                self._changed.wait(left)
            return list(self._spans)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A collector that listens while the block runs."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/traces":
                receiver.take(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            serving.join()


def _facts(attributes: Sequence[KeyValue]) -> dict[str, str]:
    return {fact.key: _text(fact.value) for fact in attributes}


def _text(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    return "" if kind is None else str(getattr(value, kind))
