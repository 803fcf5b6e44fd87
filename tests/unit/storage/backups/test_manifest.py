"""The page that makes a folder of files a backup."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from storage.backups.errors import NoBackup
from storage.backups.manifest import Manifest, Part, Photos, TableParts, table_of

ID = "01j00000000000000000000000"
PART = Part(path=f"parts/{ID}/records/photos-000000.jsonl", rows=2, bytes=10, sha256="0" * 64)
MANIFEST = Manifest(
    facesearch="0.1.0",
    schema_version="0003",
    id=ID,
    taken_at=datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC),
    indexed_faces=3,
    tables=(TableParts(name="photos", parts=(PART, PART)),),
    spaces=(),
    photos=Photos(count=2, bytes=1234, lost=("a-revision-ü",)),
)


def changed(name: str, value: object) -> bytes:
    """With one field changed, and the digest of what was there before."""
    return json.dumps(json.loads(MANIFEST.encoded()) | {name: value}).encode()


def test_what_is_written_is_read() -> None:
    assert Manifest.decoded(MANIFEST.encoded()) == MANIFEST


def test_rows_of_a_table_are_those_of_its_parts() -> None:
    assert table_of(MANIFEST.tables, "photos").rows == 4
    assert table_of(MANIFEST.tables, "faces").parts == ()


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", changed("indexed_faces", 4)])
def test_a_damaged_one_is_refused(damaged: bytes) -> None:
    with pytest.raises(NoBackup, match=r"manifest\.json is damaged"):
        Manifest.decoded(damaged)


def test_every_byte_that_changes_is_noticed() -> None:
    whole = MANIFEST.encoded()
    for place in range(0, len(whole) - 1, 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        try:
            read = Manifest.decoded(bytes(damaged))
        except NoBackup:
            continue
        assert read == MANIFEST, place  # white space


def test_one_of_a_newer_format_names_the_format() -> None:
    with pytest.raises(
        NoBackup, match="of format 2, and this version of facesearch reads format 1"
    ):
        Manifest.decoded(changed("format", 2))


@pytest.mark.parametrize("path", ["/etc/passwd", "parts/../../x.jsonl", f"parts/{ID}/x.py"])
def test_no_part_is_outside_of_the_folder(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        Part(path=path, rows=0, bytes=0, sha256="0" * 64)
