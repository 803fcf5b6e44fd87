"""kill -9 after every step of a write: what was acknowledged is there, nothing else."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from cli.base.check import CheckOrder, CheckResult, check_base
from tests.integration.processes import Running, start, start_inference
from tests.integration.system import Client, client_of, edge_environment

pytestmark = [pytest.mark.pack, pytest.mark.slow, pytest.mark.timeout(900)]

FILES = ("bulk_Rob_Lowe_0001.jpg", "bulk_Rob_Lowe_0002.jpg", "bulk_woman.png", "bulk_yifei.jpg")


@dataclass
class Base:
    """What the service acknowledged: photo_id → the index of its bytes among the photos."""

    acknowledged: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Write:
    """One write, and what it changes once it is committed."""

    run: Callable[[Client], httpx2.Response]
    apply: Callable[[Base], object]


@dataclass(frozen=True)
class Step:
    """A step of a write: `port.method`; whether it is the commit."""

    write: str
    place: str
    commits: bool = False


STEPS = (
    Step("enrol", "records.begin"),
    Step("enrol", "photos.put"),
    Step("enrol", "vectors.add"),
    Step("enrol", "records.commit_live", commits=True),
    Step("replace", "photos.put"),
    Step("replace", "vectors.add"),
    Step("replace", "records.commit_live", commits=True),
    Step("detect", "records.commit_staged"),
    Step("add_face", "vectors.add"),
    Step("add_face", "records.index_face", commits=True),
    Step("remove", "records.remove_photo", commits=True),
    Step("remove_all", "records.remove_all", commits=True),
    Step("sweep", "vectors.remove_revisions"),
    Step("sweep", "photos.remove"),
    Step("sweep", "records.forget"),
)


@pytest.fixture(scope="module")
def inference(pack_dir: Path) -> Iterator[Running]:
    with start_inference(pack_dir, SESSIONS="2") as running:
        yield running


@pytest.fixture(scope="module")
def images(shared: Path) -> list[bytes]:
    return [(shared / "data" / "photos" / file).read_bytes() for file in FILES]


def writes(images: list[bytes], name: str, client: Client) -> dict[str, Write]:
    """Every kind of write to a photo called `name`."""

    def set_photo(index: int) -> Callable[[Base], object]:
        return lambda base: base.acknowledged.update({name: index})

    def put(index: int) -> Callable[[Client], httpx2.Response]:
        return lambda at: at.http.put(f"/photos/{name}", files={"image": images[index]})

    def detect(at: Client) -> httpx2.Response:
        return at.http.post(
            "/detect_faces/", files={"image": images[2]}, data={"photo_id": f"{name}-staged"}
        )

    def add_face(at: Client) -> httpx2.Response:
        face = detect(client).json()["faces"][0]["face_id"]
        return at.http.put("/add_face/", params={"face_id": face})

    return {
        "enrol": Write(put(0), set_photo(0)),
        "replace": Write(put(3), set_photo(3)),
        "detect": Write(detect, lambda _: None),
        "add_face": Write(add_face, lambda base: base.acknowledged.update({f"{name}-staged": 2})),
        "remove": Write(
            lambda at: at.http.delete(f"/remove/{name}"),
            lambda base: base.acknowledged.pop(name),
        ),
        "remove_all": Write(
            lambda at: at.http.delete("/remove_all/"), lambda base: base.acknowledged.clear()
        ),
        # A sweep follows every write; one that leaves garbage behind gives it something to do.
        "sweep": Write(put(3), set_photo(3)),
    }


@contextmanager
def edge_with(data: Path, inference: Running, fault: str, armed: Path) -> Iterator[Running]:
    environment = edge_environment(data, inference.address)
    environment |= {"FAULT": fault, "FAULT_ARMED": str(armed)}
    with start("tests.faults.edge_process", environment) as edge:
        yield edge


def test_a_crash_after_any_step_loses_nothing_and_shows_nothing_unacknowledged(
    tmp_path: Path, inference: Running, images: list[bytes]
) -> None:
    data = tmp_path / "data"
    base = Base()
    for number, step in enumerate(STEPS):
        name, armed = f"photo-{number}", tmp_path / f"armed-{number}"
        with edge_with(data, inference, step.place, armed) as edge, client_of(edge) as client:
            # What the last crash left, and what this write needs to start from.
            assert_base_is(client, base, images, data)
            if step.write in ("replace", "remove", "remove_all", "sweep"):
                client.put_photo(name, images[0])
                base.acknowledged[name] = 0
            armed.touch()
            write = writes(images, name, client)[step.write]
            try:
                answer = write.run(client)
            except httpx2.RequestError:
                answer = None
            try:
                assert edge.wait(60) == -signal.SIGKILL
            except subprocess.TimeoutExpired:
                pytest.fail(f"{step}: the fault was not reached, {answer}\n{edge.text()}")
        # Collecting comes after the acknowledgement, which may have been on its way when it died.
        is_collecting = step.write == "sweep"
        assert answer is None or is_collecting, f"{step}: acknowledged before the crash"
        if is_collecting or step.commits:
            write.apply(base)
    with (
        edge_with(data, inference, "records.begin", tmp_path / "never") as edge,
        client_of(edge) as client,
    ):
        assert_base_is(client, base, images, data)


def assert_base_is(client: Client, base: Base, images: list[bytes], data: Path) -> None:
    """Exactly the acknowledged photos are listed and found, with their bytes; check is clean."""
    indexed = {item["photo_id"] for item in client.listing(status="indexed")}
    assert indexed == set(base.acknowledged)
    for name, index in base.acknowledged.items():
        assert client.http.get(f"/photos/{name}/image").content == images[index]
    for index, image in enumerate(images):
        found = client.search(image, score_threshold=0.9, top_k=50)["results"]
        assert {row["photo_id"] for row in found} == {
            name for name, own in base.acknowledged.items() if own == index
        }
    assert check(data).problems == 0


def check(data: Path) -> CheckResult:
    """What `facesearch check` finds beside the running service."""
    return asyncio.run(check_base(CheckOrder(data)))
