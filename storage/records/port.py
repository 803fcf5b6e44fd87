"""What a record store does. Records are the truth: what they do not name is not there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

from storage.identity import FaceId, PhotoKey, RevisionId, SpaceId
from storage.records.model import (
    ApiKey,
    Box,
    Committed,
    Face,
    FaceIndexed,
    Job,
    NewFace,
    Page,
    Photo,
    PhotoFilter,
    Removed,
    Revision,
    Space,
    SpaceState,
)


class RecordStore(Protocol):
    """Photos, faces, spaces, keys, leases and jobs. Each method is one transaction.

    Every method may raise RecordsUnavailable; writes may raise StorageFull. What a write returned
    from is durable.
    """

    # Writing photos

    async def begin(self, photo: PhotoKey, sha256: str, size: int) -> Revision:
        """A new pending revision of `size` bytes. Nobody sees it."""
        ...

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
        """Make a pending revision the photo, its faces indexed in `space`.

        Their vectors are there, and in the spaces `also`; if `space` is not active any more and one
        of these is, they are indexed in that one. A space that is being filled and is not among
        them is told by its count `behind`.

        Faces of an overall quality below `min_quality` are kept as `detected`: not in the index. If
        the current revision has the same sha256, is not lost and has just these faces indexed in
        `space`, mine becomes garbage and that one is the answer (created=False). Otherwise the old
        one, and any staged one, becomes garbage. Faces are numbered from 0 in the order given. Two
        writers of one photo are ordered here.

        Raises RevisionGone if it is no longer pending; AlreadyExists (and mine is garbage) if
        `replace` is False and the photo has a live revision; EmbeddingSpaceMismatch if none of the
        spaces is searched any more: mine stays pending then.
        """
        ...

    async def commit_staged(
        self, revision: RevisionId, *, width: int, height: int, faces: Sequence[NewFace]
    ) -> Photo:
        """Keep the detections of a pending revision; faces numbered from 0, all `detected`.

        The live revision stays as it is. An older staged revision of the photo becomes garbage. If
        the live or the staged revision has the same sha256, mine becomes garbage and that one is
        the answer. Raises RevisionGone if it is no longer pending.
        """
        ...

    async def index_face(
        self, face_id: FaceId, space: SpaceId, *, also: Collection[SpaceId] = ()
    ) -> FaceIndexed:
        """Make a detected face searchable; its vector is stored already. Spaces as above.

        If its revision is staged, that one becomes live and the one that was live garbage. Raises
        FaceNotFound if there is no such face or its revision is neither staged nor live,
        EmbeddingSpaceMismatch as above.
        """
        ...

    async def append_face(self, revision: RevisionId, face: NewFace) -> Face:
        """Add one more `detected` face to a staged or live revision, under the next free number.

        Raises PhotoNotFound if the revision is neither.
        """
        ...

    async def discard(self, revision: RevisionId) -> None:
        """Turn a pending revision into garbage; anything else is left alone."""
        ...

    async def mark_lost(self, revision: RevisionId, *, lost: bool) -> None:
        """Note that the bytes of a revision are lost (or found again)."""
        ...

    async def remove_photo(self, photo: PhotoKey) -> Removed:
        """The photo goes, live and staged; a writer that is still at it gets RevisionGone."""
        ...

    async def remove_all(self, collections: frozenset[str] | None) -> Removed:
        """Every photo of these collections goes; None: every photo."""
        ...

    # Reading photos

    async def photo(self, photo: PhotoKey) -> Photo | None:
        """The live revision; if there is none, the staged one."""
        ...

    async def staged(self, photo: PhotoKey) -> Photo | None:
        """The staged revision, whether there is a live one or not."""
        ...

    async def live_photos(self, photos: Sequence[PhotoKey]) -> Sequence[Photo]:
        """The live revisions of these photos, with their faces; in no order."""
        ...

    async def same_bytes(self, photo: PhotoKey, sha256: str) -> Photo | None:
        """The live or staged revision of this photo with these bytes."""
        ...

    async def keys_of(self, photo_id: str) -> Sequence[PhotoKey]:
        """The photos of that id, live or staged, by collection_id."""
        ...

    async def face(self, face_id: FaceId) -> tuple[Revision, Face] | None:
        """A face of a live or staged revision."""
        ...

    async def revision(self, revision: RevisionId) -> Photo | None:
        """A revision in any state, with its faces."""
        ...

    async def visible(self, space: SpaceId, faces: Sequence[FaceId]) -> Mapping[FaceId, Box]:
        """Those of the faces that a search may show: in `space`, their revision live.

        A face is in the space that it was indexed in, and in each that covers that one.

        With where they are on their photos; every search asks this once.
        """
        ...

    async def list_photos(self, which: PhotoFilter, *, after: PhotoKey | None, limit: int) -> Page:
        """A page of live (or, where there is none, staged) photos."""
        ...

    async def count_photos(self, which: PhotoFilter) -> int:
        """How many photos the filter lets through."""
        ...

    def indexed_faces(self, space: SpaceId) -> AsyncIterator[Sequence[tuple[Revision, Face]]]:
        """Every face a search of `space` may show, in pages, by face id."""
        ...

    def live_revisions(self) -> AsyncIterator[Sequence[Revision]]:
        """Every live or staged revision, in pages, by id."""
        ...

    # Collecting

    async def expire(self, *, pending_seconds: float, staged_seconds: float) -> int:
        """Turn pending and staged revisions older than that into garbage; how many.

        A staged revision without faces stays, however old, if its photo has no live one: it is
        what the base knows of that photo ("no_faces" is kept until removed).
        """
        ...

    async def garbage(self, limit: int) -> Sequence[RevisionId]:
        """Revisions to collect, oldest first."""
        ...

    async def forget(self, revisions: Sequence[RevisionId]) -> None:
        """Remove garbage rows, with their faces, once bytes and vectors are gone."""
        ...

    async def unknown(self, revisions: Sequence[RevisionId]) -> Sequence[RevisionId]:
        """Those that no row names."""
        ...

    # Spaces, keys, leases, jobs

    async def add_space(self, space: Space) -> Space:
        """Register a space if it is new; the row as it stands."""
        ...

    async def spaces(self) -> Sequence[Space]:
        """All spaces, by id."""
        ...

    async def set_space_state(self, space: SpaceId, state: SpaceState) -> None:
        """Change what a space is for. Making one active retires the one that was."""
        ...

    async def begin_filling(self, space: Space, target: str | None) -> Space:
        """Fill a space, new or retired, from now on; or go on with it. The row as it stands.

        Whatever is committed later and is not in it makes `behind` grow; `target` is where its
        pack is run. Raises SpaceInUse if it is active, or if another one is being filled.
        """
        ...

    async def activate_filled(self, space: SpaceId, *, behind: int) -> bool:
        """Make the space that is being filled the active one, if its `behind` is still this.

        It covers the one that was active, which is retired, and all that this one covered. False:
        something came in behind, or it is not being filled; nothing is changed.
        """
        ...

    async def set_space_target(self, space: SpaceId, target: str | None) -> None:
        """Note where the pack of a space is run; None: where the settings say."""
        ...

    async def forget_space(self, space: SpaceId) -> None:
        """Remove the row of a space; faces indexed there are from now on of the one that covers it.

        Not one transaction, but may be repeated. Unknown spaces are fine. Raises SpaceInUse if it
        is active.
        """
        ...

    async def add_key(self, key: ApiKey) -> None:
        """Store a key. Raises AlreadyExists if an unrevoked key has the name."""
        ...

    async def keys(self) -> Sequence[ApiKey]:
        """All keys, revoked ones included, by name and age."""
        ...

    async def revoke_key(self, name: str) -> bool:
        """Revoke the key of that name; False if there is none."""
        ...

    async def take_lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take or renew a lease; False if another owner holds it."""
        ...

    async def drop_lease(self, name: str, owner: str) -> None:
        """Give a lease back, if it is mine."""
        ...

    async def lease_held(self, name: str) -> bool:
        """Whether somebody holds the lease now."""
        ...

    async def add_job(self, kind: str, arguments: Mapping[str, object]) -> Job:
        """Ask for work."""
        ...

    async def claim_job(self) -> Job | None:
        """The oldest waiting job, running from now on; None: there is none."""
        ...

    async def update_job(self, job: Job) -> None:
        """Write state, progress, result and error of a job."""
        ...

    async def job(self, job_id: str) -> Job | None:
        """A job as it stands."""
        ...

    async def clock(self) -> float:
        """Seconds since 1970 by the database's clock."""
        ...

    async def ping(self) -> None:
        """Return if the store can be written to."""
        ...

    async def close(self) -> None:
        """Release what is held. Safe to call twice."""
        ...
