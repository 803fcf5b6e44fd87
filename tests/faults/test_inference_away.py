"""Inference down, slow, full or exchanged: what the edge answers, and that it is back by itself."""

from __future__ import annotations

import shutil
import signal
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import httpx2
import onnx
import pytest

from facesearch.inference.v1 import inference_pb2 as pb
from tests.faults.outages import broken, found, free_port, is_away, problem, put, small, until
from tests.integration.inference_calls import analyze, stub_of
from tests.integration.processes import Running, run, start_inference
from tests.integration.system import Client, client_of, edge_environment, start_edge

pytestmark = [pytest.mark.slow, pytest.mark.pack]

REFUSED_WITHIN_MS = 50


@pytest.fixture(scope="module")
def woman(shared: Path) -> bytes:
    return small(shared / "data/photos/bulk_yifei.jpg")


@pytest.fixture(scope="module")
def man(shared: Path) -> bytes:
    return small(shared / "data/photos/bulk_Rob_Lowe_0001.jpg")


@contextmanager
def stopped(process: Running) -> Iterator[None]:
    """The process does nothing while the block runs, as on a machine that swaps."""
    process.send(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send(signal.SIGCONT)


@contextmanager
def edge_at(data: Path, port: int, **settings: str) -> Iterator[tuple[Running, Client]]:
    with start_edge(data, f"127.0.0.1:{port}", **settings) as edge, client_of(edge) as client:
        yield edge, client


def test_inference_may_come_late_be_slow_and_be_killed(
    tmp_path: Path, pack_dir: Path, woman: bytes, man: bytes
) -> None:
    port = free_port()
    with edge_at(tmp_path / "data", port) as (edge, client):
        # Not there at the start.
        edge.wait_for_event("inference_away")
        for answer in (put(client, "early", woman), client.try_search(woman)):
            assert is_away(answer, "inference_unavailable")
        assert broken(client) == ["inference"]

        with start_inference(pack_dir, PORT=str(port)) as inference:
            until(lambda: put(client, "her", woman).status_code == 200, "enrolled once it is there")
            until(lambda: broken(client) == [], "/readyz says ready")
            assert found(client, woman) == ["her"]

            # There, and slow.
            with stopped(inference):
                begun = time.monotonic()
                slow = put(client, "slow", man, X_Request_Timeout="1")
                assert problem(slow) == (504, "deadline_exceeded")
                assert time.monotonic() - begun < 5
                until(lambda: broken(client) == ["inference"], "/readyz says which")
            until(lambda: broken(client) == [], "/readyz says ready again")
            assert [item["photo_id"] for item in client.listing()] == ["her"]
            assert put(client, "slow", man).status_code == 200
            assert found(client, man) == ["slow"]

            # Killed in the middle of a request.
            with ThreadPoolExecutor(1) as caller:
                inference.send(signal.SIGSTOP)
                waiting = caller.submit(put, client, "cut", woman)
                until(lambda: in_flight(client) > 1, "the enrolment is at work")
                inference.kill()
                assert is_away(waiting.result(), "inference_unavailable")
            assert is_away(put(client, "cut", woman), "inference_unavailable")
            assert broken(client) == ["inference"]
            # What needs no inference goes on.
            assert client.http.get("/photos/her").status_code == 200
            assert client.http.delete("/remove/slow").status_code == 200

        with start_inference(pack_dir, PORT=str(port)):
            until(lambda: put(client, "cut", woman).status_code == 200, "back after a restart")
            until(lambda: broken(client) == [], "/readyz says ready after a restart")
            assert sorted(found(client, woman)) == ["cut", "her"]
            assert found(client, man) == []
        assert edge.terminate() == 0


def in_flight(client: Client) -> float:
    """Requests at work, that for the metrics itself among them."""
    lines = client.http.get("/metrics").text.splitlines()
    name = "facesearch_edge_requests_in_flight "
    return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))


# Too much at once


def refusals_of(edge: Running, answers: list[httpx2.Response]) -> list[float]:
    """How long the edge took for each, in milliseconds, by its own log."""
    taken = []
    for answer in answers:
        assert problem(answer) == (429, "overloaded")
        assert int(answer.headers["Retry-After"]) >= 1
        line = edge.wait_for_event("request", request_id=answer.json()["request_id"])
        assert line["status"] == 429
        taken.append(float(str(line["milliseconds"])))
    return taken


def put_until_taken(client: Client, photo_id: str, image: bytes) -> httpx2.Response:
    """A question whether all places are taken may hold the last of them for a moment."""
    while (answer := put(client, photo_id, image)).status_code == 429:
        threading.Event().wait(0.02)  # between two attempts
    return answer


def is_full(client: Client) -> bool:
    """Whether the next request is refused, because as many as may be are at work."""
    return client.http.get("/embed_status/").status_code == 429


def test_one_request_too_many_at_the_edge_is_refused_at_once(
    tmp_path: Path, pack_dir: Path, woman: bytes
) -> None:
    with (
        start_inference(pack_dir) as inference,
        edge_at(tmp_path / "data", inference.port, EDGE_MAX_IN_FLIGHT="2") as (edge, client),
        ThreadPoolExecutor(2) as callers,
    ):
        with stopped(inference):
            waiting = [callers.submit(put_until_taken, client, name, woman) for name in "ab"]
            # Not by the number in flight, which counts those that still send.
            until(lambda: is_full(client), "two are at work")
            answers = [client.try_search(woman) for _ in range(20)]
            assert client.http.get("/livez").status_code == 200
        assert statistics.median(refusals_of(edge, answers)) < REFUSED_WITHIN_MS
        assert [answer.result().status_code for answer in waiting] == [200, 200]
        assert sorted(found(client, woman)) == ["a", "b"]


def test_a_full_queue_of_inference_is_told_at_once(
    tmp_path: Path, pack_dir: Path, woman: bytes, shared: Path
) -> None:
    heavy = pb.Image(data=(shared / "data/photos/bulk_view.jpg").read_bytes())
    is_over = threading.Event()
    with (
        start_inference(pack_dir, QUEUE_ITEMS="8", MAX_ITEMS="4") as inference,
        stub_of(inference.address) as stub,
        edge_at(tmp_path / "data", inference.port) as (edge, client),
        ThreadPoolExecutor(4) as fillers,
    ):

        def keep_full() -> None:
            while not is_over.is_set():
                with suppress(grpc.RpcError):  # full already
                    analyze(stub, [heavy] * 4)

        answers: list[httpx2.Response] = []

        def is_refused_often() -> bool:
            answer = client.http.post(
                "/detect_faces/", files={"image": woman}, data={"keep": "false"}
            )
            answers.extend([answer] if answer.status_code != 200 else [])
            return len(answers) == 20

        filling = [fillers.submit(keep_full) for _ in range(4)]
        until(is_refused_often, "twenty are refused")
        is_over.set()
        for one in filling:
            one.result()
        assert statistics.median(refusals_of(edge, answers)) < REFUSED_WITHIN_MS
        assert client.detect(woman)["faces"]


# Another pack


@pytest.fixture(scope="module")
def other_pack(tmp_path_factory: pytest.TempPathFactory, pack_dir: Path) -> Path:
    """The same networks, the recogniser in other bytes: another embedding space to anybody."""
    copy = tmp_path_factory.mktemp("packs") / "another"
    shutil.copytree(pack_dir, copy, ignore=shutil.ignore_patterns("pack.toml"))
    for file in copy.glob("*.onnx"):
        if not file.name.startswith("det_"):
            model = onnx.load(file)
            model.metadata_props.add(key="trained", value="again")
            file.chmod(0o644)
            onnx.save(model, file)
    return copy


def test_vectors_of_another_pack_are_never_compared(
    tmp_path: Path, pack_dir: Path, other_pack: Path, woman: bytes, man: bytes
) -> None:
    port, data = free_port(), tmp_path / "data"
    with edge_at(data, port) as (edge, client):
        with start_inference(pack_dir, PORT=str(port)):
            until(lambda: put(client, "her", woman).status_code == 200, "enrolled")

        # Exchanged beneath a running edge.
        with start_inference(other_pack, PORT=str(port)):
            until(lambda: client.try_search(man).status_code != 503, "the other one answers")
            for answer in (client.try_search(man), put(client, "him", man)):
                assert problem(answer) == (409, "embedding_space_mismatch")
                assert_says_what_to_do(answer.json()["detail"], pack_dir, other_pack)
            until(lambda: broken(client) == ["inference"], "/readyz says which")
            ready = client.http.get("/readyz").json()["dependencies"]["inference"]
            assert ready["state"] == "mismatch"
            assert_says_what_to_do(ready["detail"], pack_dir, other_pack)
            assert [item["photo_id"] for item in client.listing()] == ["her"]
            assert edge.terminate() == 0

            # Refused at the start.
            environment = edge_environment(data, f"127.0.0.1:{port}")
            with run([sys.executable, "-m", "edge"], environment) as refused:
                assert refused.wait() == 2
                (line,) = refused.lines("stderr")
            assert_says_what_to_do(line, pack_dir, other_pack)

    with start_inference(pack_dir, PORT=str(port)), edge_at(data, port) as (_, client):
        assert broken(client) == []
        assert found(client, woman) == ["her"]


def assert_says_what_to_do(text: str, of_base: Path, loaded: Path) -> None:
    """Which pack made the base, which is loaded, and how to index again."""
    assert f"pack {of_base.name}" in text
    assert f"pack {loaded.name}" in text
    assert "facesearch reindex" in text
