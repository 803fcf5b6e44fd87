"""Rows as lines, in files of a bounded size."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from storage.backups.lines import LinesWriter, Row, pages, read_rows

ROWS: list[Row] = [
    {"name": "line\nline\u2028\x00\"'\\", "figure": 1 / 3, "none": None, "list": [0.1, True]},
    {"name": "Größe 😀", "figure": -0.0, "none": None, "list": []},
    {"name": "", "figure": 1e-300, "none": None, "list": [[1, 2]]},
]


def test_rows_come_back_as_they_were_in_as_many_files_as_they_need(tmp_path: Path) -> None:
    with LinesWriter(tmp_path, "rows-", rows_a_part=2) as lines:
        lines.add(ROWS[:1])
        lines.add(ROWS[1:])
    assert [each.file.name for each in lines.written] == ["rows-000000.jsonl", "rows-000001.jsonl"]
    assert [each.rows for each in lines.written] == [2, 1]
    assert [row for each in lines.written for row in read_rows(each.file)] == ROWS
    for each in lines.written:
        data = each.file.read_bytes()
        assert (each.bytes, each.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_without_rows_there_is_no_file(tmp_path: Path) -> None:
    with LinesWriter(tmp_path) as lines:
        lines.add([])
    assert lines.written == []
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "000000.jsonl").write_text("mine")
    with pytest.raises(FileExistsError), LinesWriter(tmp_path) as lines:
        lines.add(ROWS)
    assert (tmp_path / "000000.jsonl").read_text() == "mine"


def test_a_line_that_is_no_row_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("[1]\n")
    with pytest.raises(ValueError, match=r"rows\.jsonl holds a line that is no row"):
        list(read_rows(file))


def test_pages_hold_all_rows_in_order() -> None:
    assert [list(page) for page in pages(ROWS, 2)] == [ROWS[:2], ROWS[2:]]
    assert list(pages([], 2)) == []
