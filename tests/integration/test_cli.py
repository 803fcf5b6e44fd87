"""The command line with real processes: starting, stopping, being killed, filling a base."""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from cli.running.service_file import RunningService, find_service
from inference.models.licence import licence_of
from inference.models.pack import load_pack
from storage.open import open_records
from storage.records.model import Space, SpaceState
from storage.settings import load_settings
from tests.contract.sample_photos import SPACE, enrolled
from tests.integration.processes import Running, run

pytestmark = [pytest.mark.pack, pytest.mark.slow]

WAIT_SECONDS = 120.0
GONE_SECONDS = 60.0


def wait_until(is_true: Callable[[], bool], what: str, process: Running) -> None:
    end = time.monotonic() + WAIT_SECONDS
    while not is_true():
        assert process.returncode is None, f"ended before {what}:\n{process.text()}"
        assert time.monotonic() < end, f"no {what}:\n{process.text()}"
        time.sleep(0.05)


def facesearch(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cli.main", *arguments]


class Children:
    """The processes below another one, held so that their end can be seen."""

    def __init__(self, parent: int) -> None:
        listed = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        self.by_module: dict[str, int] = {}
        self._held: dict[str, int] = {}
        for pid in map(int, listed.split()):
            module = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")[-1]
            self.by_module[module] = pid
            self._held[module] = os.pidfd_open(pid)

    def assert_gone(self) -> None:
        for module, held in self._held.items():
            ended, _, _ = select.select([held], [], [], GONE_SECONDS)
            assert ended, f"{module} was left behind"

    def close(self) -> None:
        for module, held in self._held.items():
            if not select.select([held], [], [], 0)[0]:
                os.kill(self.by_module[module], signal.SIGKILL)
            os.close(held)


@dataclass(frozen=True)
class Up:
    process: Running
    children: Children
    url: str

    @property
    def key(self) -> str | None:
        """As it was printed, if it was."""
        found = [line.strip() for line in self.process.lines("stdout")]
        return next((line for line in found if line.startswith("fs_")), None)


@contextmanager
def up(data: Path, pack: Path, *flags: str) -> Iterator[Up]:
    # Several inference processes have tests of their own, and start more slowly.
    own = ("--data-dir", str(data), "--pack", str(pack), "--port", "0", "--inference-workers", "1")
    with run(facesearch("up", *own, *flags), {}) as process:
        service: RunningService | None = None

        def is_announced() -> bool:
            nonlocal service
            service = find_service(data)
            is_there = service is not None and service.pid == process.pid
            # The key is printed after the service is announced: wait for the last line of it all.
            return is_there and "Ctrl-C stops it." in process.lines("stdout")

        wait_until(is_announced, "service", process)
        assert service is not None
        children = Children(process.pid)
        try:
            yield Up(process, children, service.url)
        finally:
            children.close()


@dataclass(frozen=True)
class Ended:
    code: int
    stdout: str
    stderr: str


def done(arguments: Sequence[str], **environment: str) -> Ended:
    with run(facesearch(*arguments), environment) as process:
        code = process.wait(WAIT_SECONDS)
        return Ended(code, "\n".join(process.lines("stdout")), "\n".join(process.lines("stderr")))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(scope="module")
def photos(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five photos of one man, two of others, one without a face, one that is damaged."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "day 1").mkdir()
    for number in range(1, 6):
        name = f"RD_d{number}.jpeg"
        shutil.copy(shared / "data" / "photos" / name, folder / "day 1" / name)
    for name in ("bulk_woman.png", "bulk_Rob_Lowe_0001.jpg", "crop_no_face.png"):
        shutil.copy(shared / "data" / "photos" / name, folder / name)
    (folder / "damaged.jpg").write_bytes((folder / "bulk_Rob_Lowe_0001.jpg").read_bytes()[:3000])
    (folder / "notes.txt").write_text("no photo")
    return folder


def test_the_first_start_prints_a_key_that_works_and_later_ones_do_not(
    data: Path, pack_dir: Path
) -> None:
    with up(data, pack_dir) as first:
        key = first.key
        assert key is not None
        pack = load_pack(pack_dir)
        told = f"Pack {pack.id} {pack.version}, licence: {licence_of(pack)}"
        assert told in first.process.lines("stdout")
        assert httpx2.get(f"{first.url}/embed_status/").status_code == 401
        answer = httpx2.get(f"{first.url}/embed_status/", headers={"X-Api-Key": key})
        assert answer.status_code == 200
        assert first.process.terminate() == 0
    with up(data, pack_dir) as second:
        assert second.key is None
        assert key not in second.process.text()
        assert "printed at the first start" in second.process.text()
        answer = httpx2.get(f"{second.url}/embed_status/", headers={"X-Api-Key": key})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    "how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda how: how.name
)
def test_a_signal_stops_both_cleanly(data: Path, pack_dir: Path, how: signal.Signals) -> None:
    with up(data, pack_dir, "--logs") as service:
        service.process.send(how)
        assert service.process.wait(WAIT_SECONDS) == 0
        service.children.assert_gone()
        assert not (data / "service.json").exists()
        logged = [json.loads(line) for line in service.process.lines() if line.startswith("{")]
        ends = [fields["event"] for fields in logged if fields["event"] in ("stopped", "stopping")]
        # One after the other, the edge first: nobody loses an answer.
        assert ends == ["stopping", "stopped", "stopping", "stopped"]


@pytest.mark.parametrize(("dies", "stays"), [("inference", "edge"), ("edge", "inference")])
def test_when_one_of_the_two_dies_the_other_is_stopped(
    data: Path, pack_dir: Path, dies: str, stays: str
) -> None:
    with up(data, pack_dir) as service:
        assert set(service.children.by_module) == {dies, stays}
        os.kill(service.children.by_module[dies], signal.SIGKILL)
        assert service.process.wait(WAIT_SECONDS) == 128 + signal.SIGKILL
        service.children.assert_gone()
        assert f"{dies} ended by SIGKILL" in service.process.text()
        assert "Traceback" not in service.process.text()


def test_when_up_is_killed_hard_no_child_is_left(data: Path, pack_dir: Path) -> None:
    with up(data, pack_dir) as service:
        os.kill(service.process.pid, signal.SIGKILL)
        service.children.assert_gone()
    with up(data, pack_dir) as again:  # what it left behind is in nobody's way
        assert httpx2.get(f"{again.url}/readyz").status_code == 200


def test_a_start_that_fails_says_why_in_one_line_and_makes_no_key(
    data: Path, tmp_path: Path, pack_dir: Path
) -> None:
    ended = done(["up", "--data-dir", str(data), "--pack", str(tmp_path / "no-pack")])
    assert ended.code == 2
    assert "error: inference ended with code 2: " in ended.stderr
    assert len([line for line in ended.stderr.splitlines() if "no-pack" in line]) == 1
    assert "Traceback" not in ended.stderr
    assert "fs_" not in ended.stdout
    with up(data, pack_dir) as service:
        assert service.key is not None


async def fill_with_buffalo_l(data: Path) -> None:
    """A base with one photo that another pack put in."""
    async with open_records(load_settings(data_dir=data)) as records:
        await records.add_space(Space(SPACE, "buffalo_l", "1.0", 512, SpaceState.ACTIVE))
        await enrolled(records)


def test_a_base_of_another_pack_is_refused_with_what_to_do_and_left_as_it_is(
    data: Path, pack_dir: Path
) -> None:
    asyncio.run(fill_with_buffalo_l(data))
    one = ("--inference-workers", "1", "--port", "0")
    ended = done(["up", "--data-dir", str(data), "--pack", str(pack_dir), *one])
    assert ended.code == 2
    (line,) = (line for line in ended.stderr.splitlines() if line.startswith("error: "))
    assert f"the base holds {SPACE} (pack buffalo_l)" in line
    assert f"(pack {load_pack(pack_dir).id})" in line
    assert "--pack NAME" in line
    assert "facesearch reindex" in line
    assert "fs_" not in ended.stdout
    checked = json.loads(done(["check", "--json", "--data-dir", str(data)]).stdout)
    assert checked["photos"] == 1


def test_a_port_that_is_taken_is_said(data: Path, pack_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = done(["up", "--data-dir", str(data), "--pack", str(pack_dir), "--port", port])
    assert ended.code != 0
    assert port in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_second_service_on_the_folder_is_refused(data: Path, pack_dir: Path) -> None:
    with up(data, pack_dir) as service:
        ended = done(["up", "--data-dir", str(data), "--pack", str(pack_dir), "--port", "0"])
        assert ended.code == 2
        assert service.url in ended.stderr


def test_photos_go_in_are_found_and_checked_without_a_running_service(
    data: Path, pack_dir: Path, photos: Path, tmp_path: Path
) -> None:
    base = ["--data-dir", str(data), "--pack", str(pack_dir)]
    first = done(["index", str(photos), "--collection", "c", "--json", *base])
    report = json.loads(first.stdout)
    assert (report["photos"], report["indexed"], report["unchanged"]) == (9, 8, 0)
    assert [one["photo_id"] for one in report["failed"]] == ["damaged.jpg"]
    assert report["without_faces"] == ["crop_no_face.png"]
    assert report["passed_over"] == {".txt": 1}
    assert report["is_consistent"]
    assert first.code == 1  # one photo failed, and it is listed

    again = done(["index", str(photos), "--collection", "c", *base])
    assert "the base is consistent" in again.stdout
    assert "8  unchanged" in again.stdout

    sheet = tmp_path / "found.png"
    selfie = str(photos / "day 1" / "RD_d1.jpeg")
    arguments = ["search", selfie, "-c", "c", "--threshold", "0.4", "--json", "--sheet", str(sheet)]
    found = json.loads(done([*arguments, *base]).stdout)
    assert {row["photo_id"] for row in found["results"]} == {
        f"day 1/RD_d{number}.jpeg" for number in range(1, 6)
    }
    assert Image.open(BytesIO(sheet.read_bytes())).width > 1000

    nowhere = done(["search", selfie, "-c", "another", *base])
    assert nowhere.code == 0
    assert "No photo shows" in nowhere.stderr

    checked = done(["check", "--json", *base[:2]])
    assert (checked.code, json.loads(checked.stdout)["photos"]) == (0, 8)


def test_poor_faces_are_refused_and_counted(
    data: Path, pack_dir: Path, photos: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    with Image.open(photos / "day 1" / "RD_d1.jpeg") as sharp:
        sharp.save(folder / "sharp.png")
        sharp.resize((sharp.width // 24, sharp.height // 24)).save(folder / "tiny.png")
    arguments = ["index", str(folder), "--json", "--data-dir", str(data), "--pack", str(pack_dir)]
    ended = done(arguments, EDGE_MIN_QUALITY="0.4", EDGE_LOW_QUALITY="refuse")
    report = json.loads(ended.stdout)
    assert (ended.code, report["indexed"], report["faces_refused"]) == (0, 2, 1)
    assert report["refused_whole"] == ["tiny.png"]
    assert report["is_consistent"]


def test_a_running_service_is_used_and_does_the_check(
    data: Path, pack_dir: Path, photos: Path
) -> None:
    with up(data, pack_dir) as service:
        base = ["--data-dir", str(data)]
        refused = done(["index", str(photos), *base])
        assert refused.code == 2
        assert "FACESEARCH_API_KEY" in refused.stderr

        assert service.key is not None
        report = json.loads(
            done(["index", str(photos), "--json", *base], FACESEARCH_API_KEY=service.key).stdout
        )
        assert (report["indexed"], report["check_problems"]) == (8, 0)
        # The folder is the service's: only by a job can the check have been done.
        checked = done(["check", "--repair", "--json", *base])
        assert json.loads(checked.stdout)["is_clean"]

        wrong = done(["search", str(photos / "bulk_woman.png"), *base], FACESEARCH_API_KEY="no")
        assert wrong.code == 3
        assert "401" in wrong.stderr


def test_lost_vectors_are_found_and_made_again(data: Path, pack_dir: Path, photos: Path) -> None:
    base = ["--data-dir", str(data)]
    done(["index", str(photos), *base, "--pack", str(pack_dir)])
    shutil.rmtree(data / "vectors.db")
    found = done(["check", "--json", *base])
    assert found.code == 1
    lost = json.loads(found.stdout)["vectors_missing"]
    assert lost >= 7
    repaired = done(["check", "--repair", "--json", *base, "--pack", str(pack_dir)])
    assert repaired.code == 0
    assert json.loads(repaired.stdout)["vectors_restored"] == lost
    assert json.loads(done(["check", "--json", *base]).stdout)["is_clean"]


@pytest.mark.parametrize("dies", ["inference", "edge"])
def test_a_run_whose_service_dies_says_how_to_go_on_and_goes_on(
    data: Path, pack_dir: Path, photos: Path, tmp_path: Path, dies: str
) -> None:
    many = tmp_path / "many"
    for number in range(40):
        shutil.copytree(photos / "day 1", many / str(number))
    arguments = ["index", str(many), "--data-dir", str(data), "--pack", str(pack_dir), "--json"]
    with run(facesearch(*arguments), {}) as process:
        folder = data / "photos"
        wait_until(lambda: sum(1 for _ in folder.glob("*/*/*")) > 10, "photo", process)
        children = Children(process.pid)
        os.kill(children.by_module[dies], signal.SIGKILL)
        assert process.wait(WAIT_SECONDS) == 128 + signal.SIGKILL
        children.assert_gone()
        children.close()
        assert "run the same command again" in process.text()
        assert "Traceback" not in process.text()
    report = json.loads(done(arguments).stdout)
    assert report["unchanged"] > 0
    assert (report["indexed"] + report["unchanged"], report["failed"]) == (200, [])
    assert report["is_consistent"]
    assert report["check_problems"] == 0
