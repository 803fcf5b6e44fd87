"""Files between starts: whatever happens to them, the worst is that work is done again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from inference.sessions.kept import KeptFiles


def test_what_is_kept_comes_back_in_the_next_process(tmp_path: Path) -> None:
    KeptFiles(tmp_path / "a" / "b").write("net.blob", b"compiled")

    assert KeptFiles(tmp_path / "a" / "b").read("net.blob") == b"compiled"


def test_what_was_never_kept_is_not_there(tmp_path: Path) -> None:
    assert KeptFiles(tmp_path).read("net.blob") is None


def test_the_last_to_write_wins(tmp_path: Path) -> None:
    kept = KeptFiles(tmp_path)
    kept.write("net.blob", b"one")
    kept.write("net.blob", b"other")

    assert kept.read("net.blob") == b"other"
    assert [file.name for file in tmp_path.iterdir()] == ["net.blob"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "longer"])
def test_a_damaged_file_is_deleted_and_said(tmp_path: Path, damage: str) -> None:
    kept = KeptFiles(tmp_path)
    kept.write("net.blob", b"compiled" * 100)
    file = tmp_path / "net.blob"
    whole = file.read_bytes()
    flipped = bytes([whole[-1] ^ 1])
    file.write_bytes(
        {
            "cut": whole[:-5],
            "flipped": whole[:-1] + flipped,
            "emptied": b"",
            "longer": whole + b"x",
        }[damage]
    )

    with capture_logs() as logs:
        assert kept.read("net.blob") is None

    assert [line["event"] for line in logs] == ["damaged_file_deleted"]
    assert not file.exists()


def test_two_processes_that_write_one_name_leave_one_whole_file(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from inference.sessions.kept import KeptFiles\n"
        "kept = KeptFiles(Path(sys.argv[1]))\n"
        "for n in range(40):\n"
        "    kept.write('net.blob', sys.argv[2].encode() * 200_000)\n"
        "    found = kept.read('net.blob')\n"
        "    assert found is not None and len(set(found)) == 1, n\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), letter], stderr=subprocess.PIPE
        )
        for letter in "ab"
    ]
    said = [process.communicate(timeout=60)[1].decode() for process in processes]

    assert [process.returncode for process in processes] == [0, 0], said
    assert [file.name for file in tmp_path.iterdir()] == ["net.blob"]


def test_beyond_its_size_the_files_that_were_not_used_for_longest_go(tmp_path: Path) -> None:
    kept = KeptFiles(tmp_path, max_bytes=1000)
    for number in range(4):
        kept.write(f"{number}.blob", bytes(200))
        os.utime(tmp_path / f"{number}.blob", (number, number))
    (tmp_path / "tmpkilled").write_bytes(bytes(50))
    os.utime(tmp_path / "tmpkilled", (0, 0))
    kept.read("0.blob")

    kept.write("4.blob", bytes(200))

    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "0.blob",
        "2.blob",
        "3.blob",
        "4.blob",
    ]


def test_a_folder_that_cannot_be_made_is_said_once_and_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with capture_logs() as logs:
        kept = KeptFiles(tmp_path / "file" / "facesearch")
        kept.write("net.blob", b"compiled")
        kept.write("other.blob", b"compiled")

    assert [line["event"] for line in logs] == ["nothing_is_kept"]
    assert "INFERENCE_CACHE_DIR" in logs[0]["consequence"]


def test_what_cannot_be_written_costs_nothing_but_the_file(tmp_path: Path) -> None:
    kept = KeptFiles(tmp_path)
    (tmp_path / "net.blob" / "inside").mkdir(parents=True)

    with capture_logs() as logs:
        kept.write("net.blob", b"compiled")
        assert kept.read("net.blob") is None

    assert [line["event"] for line in logs] == ["cannot_keep", "cannot_read"]
    assert [file.name for file in tmp_path.iterdir()] == ["net.blob"]
