"""A data folder that cannot be written to, or no more of it: real limits of the system."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image

from tests.faults.outages import broken, found, is_away, put, small
from tests.faults.test_every_step import check
from tests.integration.processes import Running, run, start_inference
from tests.integration.system import Client, client_of, edge_environment, start_edge
from tests.unit.inference.pipeline import files

pytestmark = [pytest.mark.slow, pytest.mark.pack]

KIB, MIB = 1024, 1024 * 1024


@pytest.fixture(scope="module")
def inference(pack_dir: Path) -> Iterator[Running]:
    with start_inference(pack_dir) as process:
        yield process


@pytest.fixture(scope="module")
def woman(shared: Path) -> bytes:
    return small(shared / "data/photos/bulk_yifei.jpg")


@pytest.fixture(scope="module")
def man(shared: Path) -> bytes:
    return small(shared / "data/photos/bulk_Rob_Lowe_0001.jpg")


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[None]:
    """A file system of its own in this folder; skips where nobody lets us mount one."""
    folder.mkdir()
    size = ["-o", f"size={mebibytes}m"]
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", *size, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("may not mount a small file system here; the limit on files is tested instead")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nobody can write to the folder: by its permissions, for root by the file system."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield
        folder.chmod(0o700)
        return
    for options in ("bind", "remount,bind,ro"):
        command = ["mount", "-o", options, str(folder), str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("root, and may not mount a folder read-only here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def refused(data: Path, inference: Running) -> str:
    """The one line of an edge that does not start."""
    environment = edge_environment(data, inference.address)
    with run([sys.executable, "-m", "edge"], environment) as edge:
        assert edge.wait() == 2
        (line,) = edge.lines("stderr")
    return line


# The start


@pytest.mark.parametrize("holds_a_base", [False, True])
def test_a_read_only_data_folder_stops_the_start_and_loses_nothing(
    tmp_path: Path, inference: Running, woman: bytes, holds_a_base: bool
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    if holds_a_base:
        with start_edge(data, inference.address) as edge, client_of(edge) as client:
            client.put_photo("her", woman)
    with read_only(data):
        line = refused(data, inference)
    assert "cannot be written to" in line
    assert str(data) in line
    with start_edge(data, inference.address) as edge, client_of(edge) as client:
        assert [item["photo_id"] for item in client.listing()] == ["her"] * holds_a_base


def test_a_folder_that_another_edge_has_open_is_refused_and_that_one_goes_on(
    tmp_path: Path, inference: Running, woman: bytes
) -> None:
    data = tmp_path / "data"
    with start_edge(data, inference.address) as edge, client_of(edge) as client:
        client.put_photo("her", woman)
        line = refused(data, inference)
        assert "open in another process" in line
        assert "stop that one" in line
        assert client.put_photo("her too", woman)["created"] is True
        assert sorted(found(client, woman)) == ["her", "her too"]
        edge.kill()
    # A process that was killed holds nothing back.
    with start_edge(data, inference.address) as edge, client_of(edge) as client:
        assert sorted(found(client, woman)) == ["her", "her too"]


# No room while it runs


def is_full(client: Client, name: str, image: bytes) -> bool:
    """Whether an enrolment is refused for want of room; otherwise it must work."""
    answer = put(client, name, image)
    assert answer.status_code == 200 or is_away(answer, "storage_full"), answer.text
    return answer.status_code != 200


def written(data: Path) -> list[Path]:
    """Files of photos: finished ones and those on their way."""
    return [
        file
        for file in (data / "photos").rglob("*")
        if file.is_file() and not file.name.startswith("ping.")
    ]


@contextmanager
def edge_with_small_files(data: Path, inference: Running, max_bytes: int) -> Iterator[Running]:
    """An edge none of whose files may grow beyond this, until it is told otherwise (EFBIG)."""
    launcher = (
        "import os, resource, sys\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({max_bytes}, hard))\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'edge'])\n"
    )
    environment = edge_environment(data, inference.address)
    with run([sys.executable, "-c", launcher], environment) as edge:
        edge.wait_until_serving()
        yield edge


def test_a_photo_too_large_for_the_disk_leaves_nothing_and_goes_in_once_there_is_room(
    tmp_path: Path, inference: Running, woman: bytes, shared: Path
) -> None:
    data = tmp_path / "data"
    with Image.open(shared / "data/photos/bulk_yifei.jpg") as opened:
        large = files.encoded(opened.convert("RGB").resize((1350, 1800)), "PNG")
    assert len(large) > MIB
    with (
        edge_with_small_files(data, inference, MIB) as edge,
        client_of(edge) as client,
    ):
        client.put_photo("small", woman)
        kept = written(data)
        for path, method in (("/photos/large", "PUT"), ("/detect_faces/", "POST")):
            answer = client.http.request(method, path, files={"image": large})
            assert is_away(answer, "storage_full")
            assert "Errno" not in answer.text
            assert str(tmp_path) not in answer.text
        assert written(data) == kept
        assert [item["photo_id"] for item in client.listing()] == ["small"]
        assert found(client, woman) == ["small"]
        # A replacement that does not fit leaves what is there.
        assert is_full(client, "small", large)
        assert client.http.get("/photos/small/image").content == woman

        _, hard = resource.prlimit(edge.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(edge.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert not is_full(client, "large", large)
        assert sorted(found(client, woman)) == ["large", "small"]
        assert check(data).problems == 0


def test_a_disk_that_fills_up_takes_whole_photos_or_none(
    tmp_path: Path, inference: Running, woman: bytes, man: bytes
) -> None:
    data = tmp_path / "data"
    with small_disk(data, 48):
        acknowledged = {}
        with start_edge(data, inference.address) as edge, client_of(edge) as client:
            assert not is_full(client, "first", woman)
            acknowledged["first"] = woman
            refusals = 0
            for number, left_kib in enumerate((0, 4, 16, 64, 128, 256, 512, 1024)):
                with filled(data, left_kib * KIB):
                    for image in (man, woman):
                        name = f"{number} {'him' if image is man else 'her'}"
                        if is_full(client, name, image):
                            refusals += 1
                        else:
                            acknowledged[name] = image
                    assert client.http.get("/photos/first/image").content == woman
                    assert "first" in found(client, woman)
                assert_holds(client, acknowledged, woman, man)
            assert refusals >= 4
            assert len(acknowledged) >= 4
            assert broken(client) == []
            assert not is_full(client, "last", man)
            acknowledged["last"] = man
            assert check(data).problems == 0
            assert edge.terminate() == 0
        with start_edge(data, inference.address) as edge, client_of(edge) as client:
            assert_holds(client, acknowledged, woman, man)


@contextmanager
def filled(folder: Path, left_bytes: int) -> Iterator[None]:
    """The file system of this folder has so much room left, to the page, while the block runs."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):  # that is the point
            while True:
                file.write(bytes(4 * KIB))
        file.truncate(max(0, file.tell() - left_bytes))
    try:
        yield
    finally:
        filler.unlink()


def assert_holds(client: Client, acknowledged: dict[str, bytes], woman: bytes, man: bytes) -> None:
    """Exactly what was acknowledged is listed and found."""
    assert {item["photo_id"] for item in client.listing()} == set(acknowledged)
    for image in (woman, man):
        names = {name for name, own in acknowledged.items() if own == image}
        assert set(found(client, image)) == names
