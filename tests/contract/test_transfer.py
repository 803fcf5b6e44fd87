"""Rows out of one moment of a database, and into an empty one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Table
from sqlalchemy.exc import IntegrityError

from storage.identity import PhotoKey
from storage.records.engines import sqlite_url
from storage.records.model import ApiKey, Space, SpaceState
from storage.records.sql import SqlRecordStore
from storage.records.tables import METADATA, photos, revisions
from storage.records.transfer import (
    LEFT_OUT,
    TABLES,
    NotEmpty,
    Row,
    RowsRefused,
    check_columns,
    importing,
    rows_there,
    snapshot,
)
from tests.contract.sample_photos import BEACH, OTHER_SPACE, SPACE, began, detected, enrolled

SECONDS = 30.0
Rows = dict[str, list[Row]]


async def rows_of(url: str) -> Rows:
    async with snapshot(url, timeout_seconds=SECONDS) as taken:
        return {
            table.name: [row async for page in taken.rows(table) for row in page]
            for table in TABLES
        }


async def give(url: str, rows: Rows) -> None:
    async with importing(url, timeout_seconds=SECONDS) as base:
        for table in TABLES:
            await base.insert(table, rows[table.name])


async def use(store: SqlRecordStore) -> None:
    """Photos in every state, a key, and a space that came after another one."""
    await enrolled(store, BEACH)
    await enrolled(store, BEACH, content=2)
    await enrolled(store, PhotoKey("", "a"), content=3, faces=0)
    await detected(store, PhotoKey("c", "b"), content=4)
    await began(store, PhotoKey("c", "being written"), content=5)
    made = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    key = ApiKey("k", "0" * 64, frozenset({"search"}), None, made)
    await store.add_key(key)
    await store.add_space(Space(SPACE, "former", "1", 8, SpaceState.ACTIVE))
    later = Space(OTHER_SPACE, "present", "2", 8, SpaceState.FILLING)
    await store.begin_filling(later, "host:50051")
    assert await store.activate_filled(OTHER_SPACE, behind=0)


@pytest.fixture
async def elsewhere(tmp_path: Path) -> str:
    """The URL of another empty base."""
    url = sqlite_url(tmp_path / "elsewhere.sqlite").render_as_string()
    store = await SqlRecordStore.open(url)
    await store.close()
    return url


def test_what_a_base_is_is_carried_over() -> None:
    carried = {"photos", "revisions", "faces", "spaces", "space_covers", "api_keys"}
    # Another one: is it of the base, or of LEFT_OUT?
    assert METADATA.tables.keys() - LEFT_OUT <= carried
    assert {table.name for table in TABLES} == METADATA.tables.keys() - LEFT_OUT


async def test_rows_come_as_json_that_holds_every_bit(
    sql_store: SqlRecordStore, sql_url: str, elsewhere: str
) -> None:
    await use(sql_store)
    rows = await rows_of(sql_url)
    read: Rows = json.loads(json.dumps(rows))
    await give(elsewhere, read)
    assert await rows_of(elsewhere) == rows
    there = await SqlRecordStore.open(elsewhere)
    try:
        assert await there.photo(BEACH) == await sql_store.photo(BEACH)
        assert await there.keys() == await sql_store.keys()
        assert await there.spaces() == await sql_store.spaces()
    finally:
        await there.close()


async def test_rows_go_into_either_database(
    sql_store: SqlRecordStore, sql_url: str, elsewhere: str
) -> None:
    other = await SqlRecordStore.open(elsewhere)
    await use(other)
    await other.close()
    rows = await rows_of(elsewhere)
    await give(sql_url, rows)
    assert await rows_of(sql_url) == rows


async def test_only_what_somebody_can_see_is_taken(sql_store: SqlRecordStore, sql_url: str) -> None:
    await use(sql_store)
    rows = await rows_of(sql_url)
    assert sorted(str(row["photo_id"]) for row in rows["revisions"]) == ["a", "b", "beach.jpg"]
    shown = {row["id"] for row in rows["revisions"]}
    assert {row["revision"] for row in rows["faces"]} <= shown
    assert len(rows["faces"]) == 4


async def test_a_snapshot_is_of_one_moment(sql_store: SqlRecordStore, sql_url: str) -> None:
    await use(sql_store)
    before = await rows_of(sql_url)
    async with snapshot(sql_url, timeout_seconds=SECONDS) as taken:
        await sql_store.remove_photo(BEACH)
        await detected(sql_store, PhotoKey("", "new"), content=9)
        seen = [row async for page in taken.rows(revisions) for row in page]
        names = [row async for page in taken.rows(photos) for row in page]
    assert seen == before["revisions"]
    assert names == before["photos"]


async def test_pages_hold_every_row_once(sql_store: SqlRecordStore, sql_url: str) -> None:
    # More faces than a page has, with its border inside of a photo.
    for number in range(3):
        await enrolled(sql_store, PhotoKey("", str(number)), content=number, faces=450)
    async with snapshot(sql_url, timeout_seconds=SECONDS) as taken:
        pages = [page async for page in taken.rows(table_named("faces"))]
    assert len(pages) > 1
    keys = [(str(row["revision"]), int(str(row["n"]))) for page in pages for row in page]
    assert len(keys) == 1_350
    assert keys == sorted(set(keys))


async def test_an_import_that_fails_leaves_nothing(
    sql_store: SqlRecordStore, sql_url: str, elsewhere: str
) -> None:
    await use(sql_store)
    rows = await rows_of(sql_url)
    # Faces of photos that are not there yet.
    del rows["revisions"][0]
    with pytest.raises(IntegrityError):
        await give(elsewhere, rows)
    assert await rows_there(elsewhere, timeout_seconds=SECONDS) == {}


async def test_nothing_is_added_to_a_base_that_is_not_empty(
    sql_store: SqlRecordStore, sql_url: str
) -> None:
    await began(sql_store)
    with pytest.raises(NotEmpty, match="revisions: 1"):
        await give(sql_url, {table.name: [] for table in TABLES})


def test_rows_of_a_newer_version_are_refused() -> None:
    with pytest.raises(RowsRefused, match="knows no mood of photos"):
        check_columns("photos", [*photos.c.keys(), "mood"])
    with pytest.raises(RowsRefused, match="knows no moods"):
        check_columns("moods", ["id"])


def test_rows_of_an_older_version_fit_if_what_is_new_has_a_default() -> None:
    spaces = table_named("spaces")
    with_defaults = [c.name for c in spaces.c if not c.nullable and c.server_default is None]
    check_columns("spaces", with_defaults)
    with pytest.raises(RowsRefused, match="came without dim"):
        check_columns("spaces", [name for name in with_defaults if name != "dim"])


def table_named(name: str) -> Table:
    return METADATA.tables[name]
