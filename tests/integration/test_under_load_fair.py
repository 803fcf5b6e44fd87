"""Callers that bring much, read slowly, send slowly or go away: nobody else waits for them.

On the way that photos take by default on a CPU, with one session: who is in front can be seen.
"""

from __future__ import annotations

import io
import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from PIL import Image

from facesearch.inference.v1 import inference_pb2 as pb
from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceStub
from tests.faults.outages import free_port, small, until
from tests.integration.inference_calls import CALL_SECONDS, analyze, code_of, stub_of
from tests.integration.metrics_page import samples
from tests.integration.processes import Running, start, start_inference
from tests.integration.system import KEY, client_of
from tests.integration.test_edge import stores_in_memory
from tests.integration.valve import Valve

pytestmark = [pytest.mark.slow, pytest.mark.pack]

WINDOW = 64
MANY = 24
FEW = 5
NAME = "facesearch_inference_"


@dataclass(frozen=True)
class Server:
    """An inference server that works on a whole call at once, and what it counts."""

    process: Running
    stub: InferenceServiceStub
    metrics_port: int

    def count(self, name: str) -> float:
        """A sample of its metrics; those with labels are summed."""
        read = samples(self.metrics_port)
        return sum(
            value for sample, value in read.items() if sample.partition("{")[0] == NAME + name
        )

    def wait_until_idle(self) -> None:
        until(lambda: self.count("items_in_flight") == 0, "the server holds nothing")
        until(lambda: self.count("queue_items") == 0, "the queue is empty")


@pytest.fixture(scope="module")
def server(pack_dir: Path) -> Iterator[Server]:
    port = free_port()
    with (
        start_inference(pack_dir, CALL_WINDOW=str(WINDOW), METRICS_PORT=str(port)) as process,
        stub_of(process.address) as stub,
    ):
        yield Server(process, stub, port)


@pytest.fixture(scope="module")
def selfie(shared: Path) -> bytes:
    return small(shared / "data/photos/RD_d3.jpeg")


@pytest.fixture(scope="module")
def photo(selfie: bytes) -> pb.Image:
    return pb.Image(data=selfie)


@pytest.fixture(scope="module")
def light(selfie: bytes) -> pb.Image:
    """The same in so few bytes that several go out before anything must come back."""
    stream = io.BytesIO()
    with Image.open(io.BytesIO(selfie)) as opened:
        opened.save(stream, "JPEG", quality=60)
    return pb.Image(data=stream.getvalue())


def many(photo: pb.Image, count: int = MANY) -> pb.AnalyzeRequest:
    return pb.AnalyzeRequest(images=[photo] * count)


def stream_of(photo: pb.Image, count: int) -> Iterator[pb.AnalyzeStreamRequest]:
    for number in range(count):
        yield pb.AnalyzeStreamRequest(id=str(number), image=photo)


# Much


def test_many_small_calls_do_not_wait_behind_a_large_one(server: Server, photo: pb.Image) -> None:
    large = server.stub.Analyze.future(many(photo), timeout=CALL_SECONDS)
    until(lambda: server.count("queue_items") > MANY / 2, "the large call fills the queue")
    for _ in range(FEW):
        assert len(analyze(server.stub, [photo])[0].faces) == 1
    assert not large.done()
    assert len(large.result().results) == MANY


def test_calls_do_not_wait_behind_a_stream_nor_a_stream_behind_calls(
    server: Server, photo: pb.Image
) -> None:
    stream = server.stub.AnalyzeStream(stream_of(photo, MANY), timeout=CALL_SECONDS)
    until(lambda: server.count("queue_items") > MANY / 2, "the stream fills the queue")
    for _ in range(FEW):
        assert len(analyze(server.stub, [photo])[0].faces) == 1
    assert server.count("items_in_flight") > 0, "the stream is at work still"

    large = server.stub.Analyze.future(many(photo), timeout=CALL_SECONDS)
    assert len({answer.id for answer in stream}) == MANY
    assert not large.done()
    large.cancel()
    server.wait_until_idle()


# Gone


@pytest.mark.parametrize("goes", ["cancelled", "late"])
def test_work_that_nobody_waits_for_reaches_no_session_and_is_counted(
    server: Server, photo: pb.Image, goes: str
) -> None:
    run, dropped = server.count("batch_size_sum"), server.count("dropped_total")
    seconds = CALL_SECONDS if goes == "cancelled" else 0.5
    call = server.stub.Analyze.future(many(photo, WINDOW), timeout=seconds)
    if goes == "cancelled":
        until(lambda: server.count("queue_items") > WINDOW / 2, "its photos wait")
        call.cancel()
    else:
        with pytest.raises(grpc.RpcError) as late:
            call.result()
        assert code_of(late.value) is grpc.StatusCode.DEADLINE_EXCEEDED
    server.wait_until_idle()
    run, dropped = server.count("batch_size_sum") - run, server.count("dropped_total") - dropped
    assert dropped > WINDOW / 4
    # One may have been in a session just then, and have been dropped between two stages.
    assert run + dropped in (WINDOW, WINDOW + 1)


# Slow


def test_a_client_that_reads_no_answers_holds_nobody_up_and_gets_them_all_later(
    server: Server, photo: pb.Image, light: pb.Image
) -> None:
    # How far it is read is up to the windows of gRPC too; tests of FlowControl say the rest.
    asked = MANY
    sent = 0
    before_all = server.count("items_total")
    options = pb.AnalyzeOptions(detect=pb.DetectOptions(look=pb.LOOK_EARLY_STOP), return_crops=True)

    def requests() -> Iterator[pb.AnalyzeStreamRequest]:
        nonlocal sent
        for request in stream_of(light, asked):
            request.options.CopyFrom(options)
            sent += 1
            yield request

    def worked_off() -> float:
        return server.count("items_total") - before_all

    with (
        Valve(server.process.port) as valve,
        stub_of(valve.address) as slow,
    ):
        analyze(slow, [photo])
        valve.shut()
        answers = slow.AnalyzeStream(requests(), timeout=CALL_SECONDS)
        # What it could send is answered into the void, and is not held as work any more.
        until(lambda: worked_off() > 2, "it is worked on")
        server.wait_until_idle()
        for _ in range(FEW):
            assert len(analyze(server.stub, [photo])[0].faces) == 1
        others = server.stub.AnalyzeStream(stream_of(photo, FEW), timeout=CALL_SECONDS)
        assert len(list(others)) == FEW
        valve.open()
        assert len({answer.id for answer in answers}) == asked
    assert sent == asked


class Dribble:
    """Clients that send a search byte by byte, and never come to its end."""

    def __init__(self, edge: Running, clients: int) -> None:
        self._stack = ExitStack()
        head = (
            f"POST /search/ HTTP/1.1\r\nHost: edge\r\nX-Api-Key: {KEY}\r\n"
            "X-Request-Timeout: 30\r\nContent-Length: 100000\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
            'Content-Disposition: form-data; name="image"; filename="p"\r\n\r\n'
        ).encode()
        self._connections = [
            self._stack.enter_context(socket.create_connection(("127.0.0.1", edge.port)))
            for _ in range(clients)
        ]
        for connection in self._connections:
            connection.sendall(head)
        self._ends: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._dribble)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ends.put(None)
        self._thread.join()
        self._stack.close()

    def _dribble(self) -> None:
        while True:
            for connection in self._connections:
                connection.sendall(b"x")
            try:
                self._ends.get(timeout=0.02)
            except queue.Empty:
                continue
            return


def test_clients_that_send_slowly_hold_nobody_up(
    tmp_path: Path, server: Server, selfie: bytes
) -> None:
    environment = stores_in_memory(tmp_path, server.process.address, EDGE_MAX_IN_FLIGHT="2")
    with start("edge", environment) as edge, client_of(edge) as client:
        client.put_photo("him", selfie)
        with Dribble(edge, clients=10):
            until(lambda: in_flight(edge) == 11, "all of them have begun")
            for number in range(FEW):
                answer = client.search(selfie + bytes([number]))
                assert [row["photo_id"] for row in answer["results"]] == ["him"]
            assert in_flight(edge) == 11, "they still send"
        until(lambda: in_flight(edge) == 1, "those that went are forgotten")


def in_flight(edge: Running) -> float:
    """Requests at an edge, that for the metrics itself among them."""
    return samples(edge.port)["facesearch_edge_requests_in_flight"]
