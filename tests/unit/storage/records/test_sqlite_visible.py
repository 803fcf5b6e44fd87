"""Look-ups of searches, straight to SQLite: together where they wait, each with its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection

from storage.errors import RecordsUnavailable
from storage.identity import FaceId, PhotoKey, SpaceId
from storage.records.engines import make_engines, sqlite_url
from storage.records.model import Photo
from storage.records.sql import SqlRecordStore
from storage.records.sqlite_visible import SqliteVisible
from tests.contract.sample_photos import SPACE, enrolled


class Base:
    """Three photos of two faces each, and what SQLite was asked."""

    def __init__(self, file: Path) -> None:
        self.queries: list[str] = []
        self.photos: list[Photo] = []
        engine = make_engines(sqlite_url(file), 5.0).direct_reader
        assert engine is not None
        event.listen(engine, "connect", self._trace)
        self.visible = SqliteVisible(engine)

    def _trace(self, connection: DBAPIConnection, _: object) -> None:
        connection.set_trace_callback(
            lambda sql: self.queries.append(sql) if sql.startswith("SELECT") else None
        )

    def faces(self, number: int) -> list[FaceId]:
        return [face.face_id for face in self.photos[number].faces]


@pytest.fixture
async def base(tmp_path: Path) -> AsyncIterator[Base]:
    file = tmp_path / "records.sqlite"
    records = await SqlRecordStore.open(sqlite_url(file))
    base = Base(file)
    for number in range(3):
        base.photos.append((await enrolled(records, PhotoKey("", str(number)), faces=2)).photo)
    yield base
    await base.visible.close()
    await records.close()


async def test_what_waits_while_one_is_at_work_goes_in_one_query(base: Base) -> None:
    answers = await asyncio.gather(*(base.visible(SPACE, base.faces(n)) for n in (0, 1, 2, 1)))
    assert [list(answer) for answer in answers] == [base.faces(n) for n in (0, 1, 2, 1)]
    assert len(base.queries) == 2


async def test_a_caller_who_goes_takes_nothing_from_the_others(base: Base) -> None:
    calls = [asyncio.create_task(base.visible(SPACE, base.faces(n))) for n in range(3)]
    await asyncio.sleep(0)  # all of them have asked
    calls[0].cancel()
    calls[1].cancel()
    assert list(await calls[2]) == base.faces(2)
    assert len(base.queries) == 2


async def test_an_error_reaches_all_who_were_together_and_none_after(base: Base) -> None:
    no_text = SpaceId("\ud800")
    spaces = (SPACE, no_text, no_text)
    outcomes = await asyncio.gather(
        *(base.visible(space, base.faces(n)) for n, space in enumerate(spaces)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [dict, *[UnicodeEncodeError] * 2]
    assert list(await base.visible(SPACE, base.faces(1))) == base.faces(1)


async def test_after_the_end_the_records_are_away(base: Base) -> None:
    await base.visible(SPACE, base.faces(0))
    await base.visible.close()
    await base.visible.close()
    with pytest.raises(RecordsUnavailable):
        await base.visible(SPACE, base.faces(0))
