"""Sessions that run out of memory, give nonsense or hang: who is told, and what lives on."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from google.rpc import code_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from facesearch.inference.v1 import inference_pb2 as pb
from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceStub
from inference.hangs import MOST_LEFT_BEHIND
from tests.faults.outages import free_port, small
from tests.integration.inference_calls import analyze, stub_of
from tests.integration.metrics_page import samples
from tests.integration.processes import Running, inference_environment, run

pytestmark = [pytest.mark.slow, pytest.mark.pack]

MAX_RUN_SECONDS = 1.0
WITHIN_SECONDS = 30.0
"""A call that a hanging session stands in the way of. Generous: a test machine may be busy."""
STATES = health_pb2.HealthCheckResponse


@dataclass(frozen=True)
class Breaking:
    """An inference server whose sessions break when told to."""

    process: Running
    stub: InferenceServiceStub
    metrics_port: int
    faults: Path

    def break_once(self, kind: str, *, times: int = 1) -> None:
        """The next runs of a session, one each, do this."""
        for number in range(times):
            (self.faults / f"{kind}-{number}").touch()

    def codes(self, *images: pb.Image) -> list[int]:
        """What becomes of these images in one call, which ends within the time."""
        begun = time.monotonic()
        results = analyze(self.stub, images)
        assert time.monotonic() - begun < WITHIN_SECONDS
        return [result.status.code for result in results]

    def counted(self, what: str) -> float:
        """A counter of the queue of photos."""
        name = f'facesearch_inference_{what}_total{{queue="photos"}}'
        return samples(self.metrics_port)[name]

    def health(self) -> int:
        with grpc.insecure_channel(self.process.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=30).status)


@pytest.fixture(scope="module")
def portrait(shared: Path) -> pb.Image:
    return pb.Image(data=small(shared / "data/photos/RD_d3.jpeg"))


@contextmanager
def started(pack: Path, faults: Path, **settings: str) -> Iterator[Breaking]:
    faults.mkdir()
    metrics_port = free_port()
    environment = inference_environment(
        pack,
        METRICS_PORT=str(metrics_port),
        MAX_RUN_SECONDS=str(MAX_RUN_SECONDS),
        **settings,
    )
    command = [sys.executable, "-m", "tests.faults.inference_process"]
    with run(command, environment | {"FAULTS": str(faults)}) as process:
        # Only now: the runs that warm up are runs too.
        process.wait_until_serving()
        with stub_of(process.address) as stub:
            yield Breaking(process, stub, metrics_port, faults)


@pytest.fixture(scope="module")
def server(pack_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Breaking]:
    """One for those faults that a server outlives."""
    with started(pack_dir, tmp_path_factory.mktemp("breaking") / "faults") as breaking:
        yield breaking


@pytest.mark.parametrize("kind", ["memory", "nan"])
def test_a_session_that_fails_once_is_made_again_and_nobody_notices(
    server: Breaking, portrait: pb.Image, kind: str
) -> None:
    before = server.counted("runner_faults")
    server.break_once(kind)
    assert server.codes(portrait, portrait, portrait) == [code_pb2.OK] * 3
    assert server.counted("runner_faults") == before + 1


@pytest.mark.parametrize("kind", ["memory", "nan"])
def test_what_no_session_can_do_fails_alone_and_the_next_call_is_served(
    server: Breaking, portrait: pb.Image, kind: str
) -> None:
    # The first attempt at a photo, and the session that is made for its second chance.
    server.break_once(kind, times=2)
    codes = server.codes(portrait, portrait, portrait)
    assert sorted(codes) == [code_pb2.OK, code_pb2.OK, code_pb2.INTERNAL]
    assert server.codes(portrait) == [code_pb2.OK]
    assert server.health() == STATES.SERVING


def test_a_session_that_hangs_costs_one_photo_and_is_replaced(
    server: Breaking, portrait: pb.Image
) -> None:
    server.break_once("hang")
    codes = server.codes(portrait, portrait, portrait)
    assert sorted(codes) == [code_pb2.OK, code_pb2.OK, code_pb2.INTERNAL]
    assert server.counted("runner_hangs") == 1
    assert server.health() == STATES.SERVING


def test_who_has_a_deadline_is_told_then_and_not_when_the_hang_is_found(
    server: Breaking, portrait: pb.Image
) -> None:
    server.break_once("hang")
    before = server.counted("runner_hangs")
    with pytest.raises(grpc.RpcError, match="DEADLINE_EXCEEDED"):
        server.stub.Analyze(pb.AnalyzeRequest(images=[portrait]), timeout=MAX_RUN_SECONDS / 4)
    assert server.codes(portrait) == [code_pb2.OK]
    assert server.counted("runner_hangs") == before + 1


def test_when_too_many_hang_the_server_says_so_and_ends_for_its_supervisor(
    pack_dir: Path, tmp_path: Path, portrait: pb.Image
) -> None:
    with started(pack_dir, tmp_path / "faults", DRAIN_DELAY_SECONDS="6") as server:
        for _ in range(MOST_LEFT_BEHIND):
            assert server.health() == STATES.SERVING
            server.break_once("hang")
            assert server.codes(portrait) == [code_pb2.INTERNAL]
            # Also after the last one: the server drains as it does at a signal.
            assert server.codes(portrait) == [code_pb2.OK]
        assert server.health() == STATES.NOT_SERVING
        assert server.process.wait(WITHIN_SECONDS) == 3
        assert server.process.events("too_many_hang")
        (line,) = server.process.lines("stderr")
        assert f"{MOST_LEFT_BEHIND} threads hang" in line
