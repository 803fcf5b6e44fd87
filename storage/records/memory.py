"""Records in memory: for tests, demos and as the measure of the SQL store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from storage.errors import AlreadyExists, FaceNotFound, PhotoNotFound, RevisionGone
from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId, split_face_id
from storage.records import rules
from storage.records.ids import new_revision_id
from storage.records.memory_operations import MemoryOperations, utc_now
from storage.records.memory_spaces import MemorySpaces
from storage.records.model import (
    Box,
    Committed,
    Face,
    FaceIndexed,
    FaceState,
    NewFace,
    Page,
    Photo,
    PhotoFilter,
    PhotoSummary,
    Removed,
    Revision,
    RevisionState,
)

_PAGE = 1000

Item = TypeVar("Item")


class MemoryRecordStore(MemorySpaces, MemoryOperations):
    """A RecordStore that forgets everything when it goes.

    No method awaits anything, so each is a transaction by itself. `now` is the database's clock.
    """

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        MemorySpaces.__init__(self)
        MemoryOperations.__init__(self, now)
        self._revisions: dict[RevisionId, Revision] = {}
        self._faces: dict[RevisionId, tuple[Face, ...]] = {}
        self._live: dict[PhotoKey, RevisionId] = {}
        self._staged: dict[PhotoKey, RevisionId] = {}

    # Writing photos

    async def begin(self, photo: PhotoKey, sha256: str, size: int) -> Revision:
        now = self._now()
        revision = Revision(
            id=new_revision_id(),
            photo=photo,
            sha256=sha256,
            bytes=size,
            width=0,
            height=0,
            state=RevisionState.PENDING,
            created_at=now,
            updated_at=now,
        )
        self._revisions[revision.id] = revision
        self._faces[revision.id] = ()
        return revision

    async def commit_live(
        self,
        revision: RevisionId,
        *,
        width: int,
        height: int,
        faces: Sequence[NewFace],
        space: SpaceId,
        also: Collection[SpaceId] = (),
        min_quality: float = 0.0,
        replace: bool = True,
    ) -> Committed:
        goes_to = self._destination(space, also)
        mine = self._pending(revision)
        current = self._shown(self._live.get(mine.photo))
        if current is not None and not replace:
            self._set(revision, state=RevisionState.GARBAGE)
            raise AlreadyExists(f"{mine.photo} has a live revision")
        if current is not None and rules.answers_enrolment(
            current, mine.sha256, goes_to.held, min_quality
        ):
            self._set(revision, state=RevisionState.GARBAGE)
            return Committed(current, created=False)
        self._close(self._live.pop(mine.photo, None))
        self._close(self._staged.pop(mine.photo, None))
        self._live[mine.photo] = revision
        self._set(revision, state=RevisionState.LIVE, width=width, height=height)
        self._faces[revision] = rules.enrolled(revision, faces, goes_to.space, min_quality)
        if rules.indexed(self._faces[revision]):
            self._note_missed(goes_to.missed)
        return Committed(self._whole(revision), created=True)

    async def commit_staged(
        self, revision: RevisionId, *, width: int, height: int, faces: Sequence[NewFace]
    ) -> Photo:
        mine = self._pending(revision)
        if (same := await self.same_bytes(mine.photo, mine.sha256)) is not None:
            self._set(revision, state=RevisionState.GARBAGE)
            return same
        self._close(self._staged.pop(mine.photo, None))
        self._staged[mine.photo] = revision
        self._set(revision, state=RevisionState.STAGED, width=width, height=height)
        self._faces[revision] = rules.numbered(revision, faces)
        return self._whole(revision)

    async def index_face(
        self, face_id: FaceId, space: SpaceId, *, also: Collection[SpaceId] = ()
    ) -> FaceIndexed:
        goes_to = self._destination(space, also)
        found = await self.face(face_id)
        if found is None:
            raise FaceNotFound(face_id)
        revision, face = found
        if revision.state is RevisionState.STAGED:
            self._close(self._live.pop(revision.photo, None))
            self._live[revision.photo] = self._staged.pop(revision.photo)
        elif face.state is FaceState.INDEXED and face.space_id in goes_to.held:
            return FaceIndexed(face, created=False)
        self._note_missed(goes_to.missed)
        self._set(revision.id, state=RevisionState.LIVE)
        added = replace(face, state=FaceState.INDEXED, space_id=goes_to.space)
        faces = self._faces[revision.id]
        self._faces[revision.id] = tuple(added if f.number == face.number else f for f in faces)
        return FaceIndexed(added, created=True)

    async def append_face(self, revision: RevisionId, face: NewFace) -> Face:
        shown = self._revisions.get(revision)
        if shown is None or shown.state not in rules.SHOWN:
            raise PhotoNotFound(revision)
        faces = self._faces[revision]
        added = Face(revision, len(faces), face, FaceState.DETECTED, None)
        self._faces[revision] = (*faces, added)
        self._set(revision)
        return added

    async def discard(self, revision: RevisionId) -> None:
        mine = self._revisions.get(revision)
        if mine is not None and mine.state is RevisionState.PENDING:
            self._set(revision, state=RevisionState.GARBAGE)

    async def mark_lost(self, revision: RevisionId, *, lost: bool) -> None:
        if revision in self._revisions:
            self._set(revision, lost=lost)

    async def remove_photo(self, photo: PhotoKey) -> Removed:
        return self._remove(lambda key: key == photo)

    async def remove_all(self, collections: frozenset[str] | None) -> Removed:
        return self._remove(lambda key: collections is None or key.collection_id in collections)

    # Reading photos

    async def photo(self, photo: PhotoKey) -> Photo | None:
        return self._shown(self._live.get(photo) or self._staged.get(photo))

    async def staged(self, photo: PhotoKey) -> Photo | None:
        return self._shown(self._staged.get(photo))

    async def live_photos(self, photos: Sequence[PhotoKey]) -> Sequence[Photo]:
        return [self._whole(self._live[photo]) for photo in set(photos) if photo in self._live]

    async def same_bytes(self, photo: PhotoKey, sha256: str) -> Photo | None:
        candidates = (self._shown(self._live.get(photo)), self._shown(self._staged.get(photo)))
        return next((c for c in candidates if c and rules.has_bytes(c.revision, sha256)), None)

    async def keys_of(self, photo_id: str) -> Sequence[PhotoKey]:
        return sorted(key for key in self._photos() if key.photo_id == photo_id)

    async def face(self, face_id: FaceId) -> tuple[Revision, Face] | None:
        revision, number = split_face_id(face_id) or (RevisionId(""), 0)
        found = self._revisions.get(revision)
        if found is None or found.state not in rules.SHOWN:
            return None
        faces = self._faces[revision]
        return (found, faces[number]) if number < len(faces) else None

    async def revision(self, revision: RevisionId) -> Photo | None:
        return self._whole(revision) if revision in self._revisions else None

    async def visible(self, space: SpaceId, faces: Sequence[FaceId]) -> Mapping[FaceId, Box]:
        found = [await self.face(face_id) for face_id in faces]
        return {
            face.face_id: face.seen.box
            for revision, face in filter(None, found)
            if self._is_searchable(revision, face, space)
        }

    async def list_photos(self, which: PhotoFilter, *, after: PhotoKey | None, limit: int) -> Page:
        lines = [
            line
            for line in self._lines(which)
            if after is None or _order(line.photo) > _order(after)
        ]
        items = tuple(lines[:limit])
        return Page(items, items[-1].photo if len(lines) > limit else None)

    async def count_photos(self, which: PhotoFilter) -> int:
        return len(self._lines(which))

    async def indexed_faces(self, space: SpaceId) -> AsyncIterator[Sequence[tuple[Revision, Face]]]:
        every = [
            (self._revisions[revision], face)
            for revision in sorted(self._live.values())
            for face in self._faces[revision]
            if self._is_searchable(self._revisions[revision], face, space)
        ]
        for page in _pages(every):
            yield page

    async def live_revisions(self) -> AsyncIterator[Sequence[Revision]]:
        shown = sorted([*self._live.values(), *self._staged.values()])
        for page in _pages([self._revisions[revision] for revision in shown]):
            yield page

    # Collecting

    async def expire(self, *, pending_seconds: float, staged_seconds: float) -> int:
        now, count = self._now(), 0
        for revision in list(self._revisions.values()):
            match revision.state:
                case RevisionState.PENDING:
                    due = now - revision.created_at >= timedelta(seconds=pending_seconds)
                case RevisionState.STAGED:
                    due = now - revision.updated_at >= timedelta(seconds=staged_seconds)
                    due = due and not rules.is_kept_without_faces(
                        self._whole(revision.id).status, has_live=revision.photo in self._live
                    )
                case _:
                    continue
            if due:
                self._close(revision.id)
                if revision.state is RevisionState.STAGED:
                    del self._staged[revision.photo]
                count += 1
        return count

    async def garbage(self, limit: int) -> Sequence[RevisionId]:
        states = self._revisions
        return sorted(r for r in states if states[r].state is RevisionState.GARBAGE)[:limit]

    async def forget(self, revisions: Sequence[RevisionId]) -> None:
        for revision in revisions:
            row = self._revisions.get(revision)
            if row is not None and row.state is RevisionState.GARBAGE:
                del self._revisions[revision], self._faces[revision]

    async def unknown(self, revisions: Sequence[RevisionId]) -> Sequence[RevisionId]:
        return [revision for revision in revisions if revision not in self._revisions]

    async def ping(self) -> None:
        return

    async def close(self) -> None:
        return

    # What the methods above are made of

    def _pending(self, revision: RevisionId) -> Revision:
        mine = self._revisions.get(revision)
        if mine is None or mine.state is not RevisionState.PENDING:
            raise RevisionGone(revision)
        return mine

    def _set(
        self,
        revision: RevisionId,
        *,
        state: RevisionState | None = None,
        width: int | None = None,
        height: int | None = None,
        lost: bool | None = None,
    ) -> None:
        row = self._revisions[revision]
        self._revisions[revision] = replace(
            row,
            state=row.state if state is None else state,
            width=row.width if width is None else width,
            height=row.height if height is None else height,
            lost=row.lost if lost is None else lost,
            updated_at=self._now(),
        )

    def _close(self, revision: RevisionId | None) -> None:
        if revision is not None:
            self._set(revision, state=RevisionState.GARBAGE)

    def _whole(self, revision: RevisionId) -> Photo:
        return Photo(self._revisions[revision], self._faces[revision])

    def _shown(self, revision: RevisionId | None) -> Photo | None:
        return None if revision is None else self._whole(revision)

    def _is_searchable(self, revision: Revision, face: Face, space: SpaceId) -> bool:
        return (
            revision.state is RevisionState.LIVE
            and face.state is FaceState.INDEXED
            and self._is_held(face.space_id, space)
        )

    def _rename_faces(self, former: SpaceId, present: SpaceId) -> None:
        for revision, faces in self._faces.items():
            self._faces[revision] = tuple(
                replace(face, space_id=present) if face.space_id == former else face
                for face in faces
            )

    def _photos(self) -> set[PhotoKey]:
        return {*self._live, *self._staged}

    def _remove(self, goes: Callable[[PhotoKey], bool]) -> Removed:
        photos = [key for key in self._photos() if goes(key)]
        faces = sum(rules.indexed(self._faces[self._live[k]]) for k in photos if k in self._live)
        for row in list(self._revisions.values()):
            if row.state in rules.OPEN and goes(row.photo):
                self._close(row.id)
        for key in photos:
            self._live.pop(key, None)
            self._staged.pop(key, None)
        return Removed(len(photos), faces)

    def _lines(self, which: PhotoFilter) -> list[PhotoSummary]:
        shown = (self._whole(self._live.get(k) or self._staged[k]) for k in self._photos())
        lines = (rules.summary_of(photo) for photo in shown)
        return sorted(
            (line for line in lines if rules.lets_through(which, line)),
            key=lambda line: _order(line.photo),
        )


def _order(photo: PhotoKey) -> tuple[str, str]:
    return photo.photo_id, photo.collection_id


def _pages(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _PAGE):
        yield items[start : start + _PAGE]
