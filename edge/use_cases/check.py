"""Whether the three stores agree, and what can be done where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from edge.errors import DeadlineExceeded, InferenceUnavailable, Overloaded
from edge.use_cases.missing_vectors import MissingVectors, Progress, VectorsChecked
from edge.use_cases.model import FaceAnalyzer, Model
from edge.use_cases.spaces import Spaces
from storage.identity import RevisionId
from storage.photos.port import PhotoStore
from storage.records.model import PhotoFilter, Revision, Space
from storage.records.port import RecordStore
from storage.records.rules import SHOWN
from storage.vectors.port import VectorStore


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check looked at, and what it found. Every problem is a count; 0 is good."""

    photos: int
    """Photos that the records show."""
    faces: int
    """Indexed faces, in the active space."""
    bytes_missing: int
    """Photos whose bytes are lost. They are listed as `failed`; enrol them again."""
    vectors_missing: int
    """Indexed faces that no search can find."""
    vectors_restored: int
    """… of which so many have a vector again."""
    vectors_unnamed: int
    """Revisions with vectors that no record names."""
    bytes_unnamed: int
    """Revisions with bytes that no record names."""
    faces_elsewhere: int
    """Indexed faces in a space that is not searched: re-index their photos."""
    other_model: str | None
    """What inference runs, if it is not what made the base."""
    is_repaired: bool
    """Whether what no record names was removed."""

    @property
    def problems(self) -> int:
        """How many were found, repaired or not."""
        return (
            self.bytes_missing
            + self.vectors_missing
            + self.vectors_unnamed
            + self.bytes_unnamed
            + self.faces_elsewhere
            + (self.other_model is not None)
        )

    @property
    def remaining(self) -> int:
        """How many are still there."""
        removed = self.vectors_unnamed + self.bytes_unnamed if self.is_repaired else 0
        return self.problems - self.vectors_restored - removed

    @property
    def is_clean(self) -> bool:
        """Whether there was nothing to find."""
        return not self.problems

    def as_json(self) -> Mapping[str, object]:
        """All figures by name, for a job's result and for `--json`."""
        return asdict(self) | {
            "problems": self.problems,
            "remaining": self.remaining,
            "is_clean": self.is_clean,
        }


class CheckBase:
    """Compares records, bytes and vectors, while the base is in use.

    What is being written or removed at the moment is no problem: bytes and vectors come after the
    row that names them and go before it, and whatever seems to be missing is asked for once more.
    """

    def __init__(
        self, faces: FaceAnalyzer, vectors: VectorStore, records: RecordStore, photos: PhotoStore
    ) -> None:
        self._faces = faces
        self._vectors = vectors
        self._records = records
        self._photos = photos
        self._spaces = Spaces(vectors, records)
        self._missing_vectors = MissingVectors(faces, vectors, records, photos)

    async def __call__(self, *, repair: bool, progress: Progress) -> CheckReport:
        """Check everything; with `repair`, make vectors again and remove what no record names.

        Lost bytes are noted in the records either way. `progress` is told how many things were
        looked at, of how many. Raises whatever the stores raise; on repair, InferenceUnavailable if
        vectors are missing and nobody can make them.
        """
        active = await self._spaces.active()
        so_far = _SoFar(progress, await self._amount(active))
        written, bytes_unnamed = await self._unnamed_bytes(so_far, repair=repair)
        photos, bytes_missing = await self._missing_bytes(written, so_far)
        vectors_unnamed = await self._unnamed_vectors(so_far, repair=repair)
        checked = VectorsChecked(faces=0, missing=0, restored=0)
        if active is not None:
            checked = await self._missing_vectors(active, repair=repair, progress=so_far.inner)
        report = CheckReport(
            photos=photos,
            faces=checked.faces,
            bytes_missing=bytes_missing,
            vectors_missing=checked.missing,
            vectors_restored=checked.restored,
            vectors_unnamed=vectors_unnamed,
            bytes_unnamed=bytes_unnamed,
            faces_elsewhere=await self._faces_elsewhere(active),
            other_model=await self._other_model(active),
            is_repaired=repair,
        )
        so_far.end()
        return report

    async def _amount(self, active: Space | None) -> int:
        photos = await self._records.count_photos(PhotoFilter())
        vectors = 0 if active is None else await self._vectors.count(active.id)
        return 2 * (photos + vectors)

    async def _unnamed_bytes(
        self, so_far: _SoFar, *, repair: bool
    ) -> tuple[frozenset[RevisionId], int]:
        """Every revision that has bytes, and how many of them no row names."""
        written: set[RevisionId] = set()
        count = 0
        async for page in self._photos.scan():
            unnamed = await self._records.unknown(page)
            count += len(unnamed)
            if unnamed and repair:
                await self._photos.remove(unnamed)
            written.update(page)
            so_far.add(len(page))
        return frozenset(written), count

    async def _missing_bytes(
        self, written: frozenset[RevisionId], so_far: _SoFar
    ) -> tuple[int, int]:
        """How many photos there are, and of how many the bytes are lost; notes which."""
        photos = missing = 0
        async for page in self._records.live_revisions():
            for revision in page:
                is_lost = revision.id not in written and await self._is_lost(revision)
                missing += is_lost
                if is_lost != revision.lost:
                    await self._records.mark_lost(revision.id, lost=is_lost)
            photos += len(page)
            so_far.add(len(page))
        return photos, missing

    async def _is_lost(self, revision: Revision) -> bool:
        if await self._photos.get(revision.id) is not None:
            return False  # written after the scan
        now = await self._records.revision(revision.id)
        return now is not None and now.revision.state in SHOWN

    async def _unnamed_vectors(self, so_far: _SoFar, *, repair: bool) -> int:
        unnamed: set[RevisionId] = set()
        for space in await self._vectors.spaces():
            async for page in self._vectors.scan(space):
                found = await self._records.unknown(sorted({face.revision for face in page}))
                unnamed.update(found)
                so_far.add(len(page))
        if unnamed and repair:
            await self._vectors.remove_revisions(sorted(unnamed))
        return len(unnamed)

    async def _faces_elsewhere(self, active: Space | None) -> int:
        count = 0
        for space in await self._records.spaces():
            if active is None or not active.holds(space.id):
                async for page in self._records.indexed_faces(space.id):
                    count += len(page)
        return count

    async def _other_model(self, active: Space | None) -> str | None:
        if active is None:
            return None
        model = await self._model()
        if model is None or model.space_id == active.id:
            return None
        return f"{model.space_id} (pack {model.pack}); the base: {active.id} (pack {active.pack})"

    async def _model(self) -> Model | None:
        try:
            return await self._faces.model()
        except (InferenceUnavailable, Overloaded, DeadlineExceeded):
            return None  # the stores can be compared without it


class _SoFar:
    """Adds up the progress of the steps."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0
        progress(0, total)

    def add(self, count: int) -> None:
        self._done += count
        self._tell(self._done)

    def inner(self, done: int, _total: int | None) -> None:
        """For a step that counts by itself; the last one."""
        self._tell(self._done + done)

    def end(self) -> None:
        self._progress(self._total, self._total)

    def _tell(self, done: int) -> None:
        # The total was counted at the start; the base may have grown since.
        self._progress(min(done, self._total), self._total)
