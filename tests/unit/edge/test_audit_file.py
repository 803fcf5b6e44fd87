"""Lines at the end of a file: whole, whoever else writes there, whatever becomes of the file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.audit_file import AuditFile
from tests.unit.storage.limits import ROOT, run_with_small_files


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


@pytest.fixture
def file(path: Path) -> Iterator[AuditFile]:
    file = AuditFile(path)
    yield file
    file.close()


def test_each_line_is_there_when_it_was_appended(file: AuditFile, path: Path) -> None:
    file.append(b"one")
    assert path.read_bytes() == b"one\n"
    file.append(b"two")
    assert path.read_bytes() == b"one\ntwo\n"


def test_what_is_there_stays(path: Path) -> None:
    path.write_bytes(b"of yesterday\n")
    file = AuditFile(path)
    file.append(b"of today")
    file.close()
    assert path.read_bytes() == b"of yesterday\nof today\n"


def test_others_may_not_read_it(file: AuditFile, path: Path) -> None:
    assert path.stat().st_mode & 0o007 == 0


def test_lines_of_several_processes_stay_whole(path: Path) -> None:
    writing = (
        "import sys\n"
        "from pathlib import Path\n"
        "from edge.audit_file import AuditFile\n"
        "file = AuditFile(Path(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
        "for number in range(1500):\n"
        "    file.append(f'{sys.argv[2]} {number} '.encode() + b'x' * 9000)\n"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", writing, str(path), str(number)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(3)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        writer.stdout.close()
    for writer in writers:  # now they begin, together
        assert writer.stdin is not None
        writer.stdin.close()
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert {line[-9000:] for line in lines} == {b"x" * 9000}
    assert sorted(line[:-9001] for line in lines) == sorted(
        f"{writer} {number}".encode() for writer in range(3) for number in range(1500)
    )


def test_after_a_rotation_the_next_line_begins_a_new_file(file: AuditFile, path: Path) -> None:
    file.append(b"old")
    rotated = path.with_suffix(".1")
    path.rename(rotated)
    file.append(b"new")
    assert (rotated.read_bytes(), path.read_bytes()) == (b"old\n", b"new\n")

    path.unlink()
    path.write_bytes(b"")  # as logrotate does with `create`
    file.append(b"newest")
    assert path.read_bytes() == b"newest\n"


def test_a_file_that_is_cut_to_nothing_is_gone_on_with(file: AuditFile, path: Path) -> None:
    file.append(b"old")
    os.truncate(path, 0)
    file.append(b"new")
    assert path.read_bytes() == b"new\n"


def test_a_line_that_somebody_left_unfinished_does_not_swallow_the_next(
    file: AuditFile, path: Path
) -> None:
    path.write_bytes(b"whole\nbroken o")
    file.append(b"next")
    assert path.read_bytes() == b"whole\nbroken o\nnext\n"


def test_a_disk_that_fills_up_is_told_and_the_line_comes_once_there_is_room(path: Path) -> None:
    script = (
        "sys.dont_write_bytecode = True\n"  # it would be cut off, too
        "from pathlib import Path\n"
        "from edge.audit_file import AuditFile\n"
        "path = Path(sys.argv[2])\n"
        "file = AuditFile(path)\n"
        "line = b'x' * 60\n"
        "file.append(line)\n"
        "try:\n"
        "    file.append(line)\n"
        "except OSError as error:\n"
        "    print(error.strerror)\n"
        "path.rename(path.with_suffix('.1'))\n"
        "file.append(line)\n"
    )
    assert run_with_small_files(script, 100, path) == "File too large\n"
    assert path.read_bytes() == b"x" * 60 + b"\n"


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        AuditFile(tmp_path / "nowhere" / "audit.jsonl")


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="is no file"):
        AuditFile(pipe)
    with pytest.raises(OSError):  # noqa: PT011  # a folder cannot be opened for writing
        AuditFile(tmp_path)
