"""A photo and all its faces into the base, in one call (PUT /photos/{photo_id})."""

from __future__ import annotations

from collections.abc import Sequence

from edge.use_cases.digest import sha256_of
from edge.use_cases.model import Embed, Enrolment, FaceAnalyzer, LookPolicy, Model, SeenPhoto
from edge.use_cases.pending import PendingRevisions
from edge.use_cases.quality import EVERY_FACE, QualityRule
from edge.use_cases.second_space import SecondSpace
from edge.use_cases.spaces import Spaces, model_of
from edge.use_cases.sweep import Sweep
from storage.errors import AlreadyExists, EmbeddingSpaceMismatch
from storage.identity import PhotoKey, SpaceId, face_id_of
from storage.photos.port import PhotoStore
from storage.records.model import Committed, NewFace, Revision, RevisionState
from storage.records.port import RecordStore
from storage.records.rules import answers_enrolment, is_below
from storage.vectors.port import FaceVector, VectorStore


class EnrolPhoto:
    """Detects and indexes every face of a photo; the photo is there whole, or not at all.

    Faces that the quality rule refuses are kept with the photo and not indexed.

    The order of the steps is what keeps it so: whatever fails before the commit leaves rows, bytes
    and vectors that nobody can see, and the sweep collects them (docs/architecture.md).
    """

    def __init__(
        self,
        faces: FaceAnalyzer,
        vectors: VectorStore,
        records: RecordStore,
        photos: PhotoStore,
        *,
        quality: QualityRule = EVERY_FACE,
        sweep: Sweep | None = None,
        spaces: Spaces | None = None,
        second: SecondSpace | None = None,
    ) -> None:
        self._faces = faces
        self._vectors = vectors
        self._index_from = quality.index_from
        self._records = records
        self._spaces = spaces or Spaces(vectors, records)
        self._pending = PendingRevisions(records, photos, sweep)
        self._sweep = sweep
        self._second = second

    async def __call__(self, photo: PhotoKey, image: bytes, *, replace: bool = True) -> Enrolment:
        """Put the photo into the base, replacing what was there under its name.

        The same bytes again change nothing and need no inference. Raises AlreadyExists if `replace`
        is False and the photo is there, EmbeddingSpaceMismatch, RevisionGone (removed or overtaken
        meanwhile: send it again), whatever else the analyzer and the stores raise.
        """
        sha256 = await sha256_of(image)
        current = await self._records.photo(photo)
        if current is not None and current.revision.state is RevisionState.LIVE:
            if not replace:
                raise AlreadyExists(photo.photo_id)
            active = await self._spaces.active()
            if active is not None and answers_enrolment(
                current, sha256, {active.id, *active.covers}, self._index_from
            ):
                return Enrolment(photo=current, created=False, model=model_of(active))

        async with self._pending.writing(photo, sha256, image) as revision:
            try:
                committed, model = await self._index(revision, image, replace=replace)
            except EmbeddingSpaceMismatch as error:
                await self._spaces.require_change(error, self._faces)
                committed, model = await self._index(revision, image, replace=replace)
        if self._sweep is not None and (current is not None or not committed.created):
            self._sweep.soon()  # one of the two revisions is of no use any more
        return Enrolment(photo=committed.photo, created=committed.created, model=model)

    async def _index(
        self, revision: Revision, image: bytes, *, replace: bool
    ) -> tuple[Committed, Model]:
        """Detect, embed, store and commit. Raises EmbeddingSpaceMismatch, mine still pending."""
        seen = await self._faces.analyze(image, look=LookPolicy.FULL, embed=Embed.ALL)
        space = await self._spaces.for_writing(seen.model)
        vectors = face_vectors(revision, seen, self._index_from)
        also: frozenset[SpaceId] = frozenset()
        if vectors:
            await self._vectors.add(space, vectors)
            if self._second is not None:
                also = await self._second.add(revision, image, indexed(seen, self._index_from))
        committed = await self._records.commit_live(
            revision.id,
            width=seen.width,
            height=seen.height,
            faces=[face.face for face in seen.faces],
            space=space,
            also=also,
            min_quality=self._index_from,
            replace=replace,
        )
        return committed, seen.model


def indexed(seen: SeenPhoto, min_quality: float) -> Sequence[tuple[int, NewFace]]:
    """The faces good enough to be compared, with their numbers."""
    return [
        (number, face.face)
        for number, face in enumerate(seen.faces)
        if not is_below(face.face.quality, min_quality)
    ]


def face_vectors(revision: Revision, seen: SeenPhoto, min_quality: float) -> Sequence[FaceVector]:
    """The faces as the vector store keeps them, numbered as the commit will number them.

    Those of an overall quality below `min_quality` are left out.
    """
    vectors = []
    for number, _ in indexed(seen, min_quality):
        embedding = seen.faces[number].embedding
        if embedding is None:
            raise ValueError(f"face {number} was to be embedded and has no embedding")
        face_id = face_id_of(revision.id, number)
        vectors.append(FaceVector(face_id, revision.photo, revision.id, embedding))
    return vectors
