"""Any sequence of calls leaves a database as it leaves the store in memory."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import StorageError
from storage.identity import FaceId, PhotoKey, RevisionId, face_id_of, split_face_id
from storage.records.memory import MemoryRecordStore
from storage.records.model import PhotoFilter, PhotoStatus
from storage.records.port import RecordStore
from storage.records.sql import SqlRecordStore
from tests.contract.sample_photos import OTHER_SPACE, SPACE, face, sha256

KEYS = [PhotoKey("", "a"), PhotoKey("", "b"), PhotoKey("c", "a")]
LONG = 3600.0

Kind = Literal[
    "begin",
    "commit_live",
    "commit_once",
    "commit_staged",
    "index_face",
    "append_face",
    "discard",
    "mark_lost",
    "remove_photo",
    "remove_all",
    "expire_pending",
    "expire_staged",
    "forget",
]


@dataclass(frozen=True, slots=True)
class Step:
    """One call. What a field means, and whether it does, is the call's matter."""

    kind: Kind
    photo: int
    back: int
    """Which of the revisions, counted from the last one."""
    number: int
    faces: int
    in_other_space: bool
    min_quality: float


# Many begin and commit, few remove: a base that is mostly empty would test little.
_WEIGHTS: dict[Kind, int] = {
    "begin": 6,
    "commit_live": 4,
    "commit_once": 1,
    "commit_staged": 4,
    "index_face": 2,
    "append_face": 1,
    "discard": 1,
    "mark_lost": 1,
    "remove_photo": 1,
    "remove_all": 1,
    "expire_pending": 1,
    "expire_staged": 1,
    "forget": 1,
}
STEPS = st.lists(
    st.builds(
        Step,
        kind=st.sampled_from([kind for kind, n in _WEIGHTS.items() for _ in range(n)]),
        photo=st.integers(0, len(KEYS) - 1),
        back=st.sampled_from([0, 0, 0, 0, 1, 2, 3]),
        number=st.integers(0, 3),
        faces=st.integers(0, 3),
        in_other_space=st.booleans(),
        min_quality=st.sampled_from([0.0, 0.0, 0.75]),  # of three faces it refuses the second on
    ),
    min_size=20,  # hypothesis makes lists little longer than this
    max_size=50,
)


class Follower:
    """One store, and the revisions it made, by which two stores can be compared."""

    def __init__(self, records: RecordStore) -> None:
        self._records = records
        self._made: list[RevisionId] = []

    async def start_empty(self) -> None:
        """Leave no row of the example before."""
        await self._records.remove_all(None)
        await self._records.forget(await self._records.garbage(10_000))

    async def take(self, step: Step) -> object:
        """The answer, or which error it was, with nothing in it that differs between stores."""
        if step.kind == "begin":
            content = sha256(step.number)
            begun = await self._records.begin(KEYS[step.photo], content, 100)
            self._made.append(begun.id)
            return self._comparable(begun)
        try:
            return self._comparable(await self._call(step))
        except StorageError as error:
            return type(error)

    async def _call(self, step: Step) -> object:  # noqa: C901  # one line for each method
        records, photo = self._records, KEYS[step.photo]
        mine = self._made[-1 - step.back % len(self._made)] if self._made else RevisionId("0" * 26)
        seen = [face(n, overall=0.8 - n / 10) for n in range(step.faces)]
        space = OTHER_SPACE if step.in_other_space else SPACE
        match step.kind:
            case "commit_live" | "commit_once":
                return await records.commit_live(
                    mine,
                    width=step.faces + 1,
                    height=2,
                    faces=seen,
                    space=space,
                    min_quality=step.min_quality,
                    replace=step.kind == "commit_live",
                )
            case "commit_staged":
                return await records.commit_staged(mine, width=3, height=4, faces=seen)
            case "index_face":
                return await records.index_face(face_id_of(mine, step.number), space)
            case "append_face":
                return await records.append_face(mine, face(9))
            case "discard":
                await records.discard(mine)
            case "mark_lost":
                await records.mark_lost(mine, lost=step.in_other_space)
            case "remove_photo":
                return await records.remove_photo(photo)
            case "remove_all":
                return await records.remove_all(frozenset({photo.collection_id}))
            case "expire_pending":
                return await records.expire(pending_seconds=0, staged_seconds=LONG)
            case "expire_staged":
                return await records.expire(pending_seconds=LONG, staged_seconds=0)
            case "forget":
                garbage = sorted(await records.garbage(1000), key=self._made.index)
                await records.forget(garbage[: step.number])
            case "begin":
                raise AssertionError
        return None

    async def photos(self) -> object:
        """What there is of each photo."""
        return self._comparable(
            [(await self._records.photo(key), await self._records.staged(key)) for key in KEYS]
        )

    async def everything(self) -> object:
        """All that the store can be asked about photos."""
        records = self._records
        faces = [face_id_of(revision, n) for revision in self._made for n in range(5)]
        filters = [PhotoFilter(), *(PhotoFilter(status=status) for status in PhotoStatus)]
        return self._comparable(
            {
                "live": sorted(
                    await records.live_photos(KEYS), key=lambda photo: photo.revision.photo
                ),
                "same": [await records.same_bytes(k, sha256(n)) for k in KEYS for n in range(4)],
                "keys": [await records.keys_of(key.photo_id) for key in KEYS],
                "revisions": [await records.revision(revision) for revision in self._made],
                "faces": [await records.face(face_id) for face_id in faces],
                "visible": [
                    sorted((await records.visible(space, faces)).items(), key=self._age)
                    for space in (SPACE, OTHER_SPACE)
                ],
                "listed": [
                    await records.list_photos(which, after=None, limit=2) for which in filters
                ],
                "rest": await records.list_photos(PhotoFilter(), after=KEYS[0], limit=9),
                "counted": [await records.count_photos(which) for which in filters],
                "garbage": sorted(await records.garbage(1000), key=self._made.index),
                "unknown": await records.unknown(self._made),
                "walked": sorted(
                    [
                        pair[1].face_id
                        async for page in records.indexed_faces(SPACE)
                        for pair in page
                    ],
                    key=lambda face_id: self._age((face_id, None)),
                ),
            }
        )

    def _age(self, item: tuple[FaceId, object]) -> tuple[int, int]:
        revision, number = split_face_id(item[0]) or (RevisionId(""), 0)
        return self._made.index(revision), number

    def _comparable(self, value: object) -> object:
        """The value with the n-th revision for its id, and without times."""
        match value:
            case str() if value in self._made:
                return f"revision {self._made.index(RevisionId(value))}"
            case str() if (parts := split_face_id(value)) is not None:
                return f"face {parts[1]} of revision {self._made.index(parts[0])}"
            case datetime():
                return "a time"
            case dict():
                return {self._comparable(key): self._comparable(v) for key, v in value.items()}
            case list() | tuple():
                return [self._comparable(item) for item in value]
            case _ if is_dataclass(value) and not isinstance(value, type):
                return {f.name: self._comparable(getattr(value, f.name)) for f in fields(value)}
            case _:
                return value


@pytest.mark.slow
# The database is the same for all examples: each begins by emptying it.
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS)
async def test_any_calls_leave_a_database_as_they_leave_memory(
    sql_store: SqlRecordStore, steps: list[Step]
) -> None:
    database, memory = Follower(sql_store), Follower(MemoryRecordStore())
    await database.start_empty()
    for step in steps:
        assert await database.take(step) == await memory.take(step), step
        assert await database.photos() == await memory.photos(), step
    assert await database.everything() == await memory.everything()
