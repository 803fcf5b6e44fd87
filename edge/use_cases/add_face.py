"""One detected face into the index (PUT /add_face/)."""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import InvalidParameter, NoFacesDetected
from edge.use_cases.boxes import best_match, grown, holds_centre, is_sound, overlaps_photo
from edge.use_cases.model import Embed, FaceAdded, FaceAnalyzer, LookPolicy, Model, SeenFace
from edge.use_cases.pending import PendingRevisions
from edge.use_cases.quality import EVERY_FACE, QualityRule
from edge.use_cases.resolve import Allowed, ensure_allowed, resolve_photo
from edge.use_cases.second_space import SecondSpace
from edge.use_cases.spaces import Spaces, model_of
from edge.use_cases.sweep import Sweep
from storage.errors import EmbeddingSpaceMismatch, FaceNotFound, PhotoNotFound
from storage.identity import FaceId, PhotoKey, SpaceId
from storage.photos.port import PhotoStore
from storage.records.model import (
    Box,
    Face,
    FaceIndexed,
    FaceState,
    NewFace,
    Photo,
    Revision,
    RevisionState,
)
from storage.records.port import RecordStore
from storage.vectors.port import FaceVector, VectorStore

# API.md: the face under a box is the detection that overlaps it most, at least so much.
_MINIMUM_IOU = 0.3
# Two detections of one face on the same bytes; below it they may be neighbours.
_SAME_FACE_IOU = 0.5
# Detectors need some surroundings to see a face; half of its size is what they were trained with.
_REGION_MARGIN = 0.5


class AddFace:
    """Embeds one face of a kept photo and makes it searchable.

    The vector is stored before the record shows it. The first face of a staged photo makes that
    photo the live one.
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
        self._records = records
        self._photos = photos
        self._spaces = spaces or Spaces(vectors, records)
        self._pending = PendingRevisions(records, photos, sweep)
        self._quality = quality
        self._sweep = sweep
        self._second = second

    async def by_face(self, face_id: str, collection_id: str | None, allowed: Allowed) -> FaceAdded:
        """Add the face of that id; in another collection, if one is named.

        Raises FaceNotFound, Forbidden, LowQuality, whatever the analyzer and the stores raise.
        """
        found = await self._records.face(FaceId(face_id))
        if found is None:
            raise FaceNotFound(face_id)
        revision, face = found
        ensure_allowed(revision.photo.collection_id, allowed)
        return await self._add(_Kept(revision, face), collection_id, allowed)

    async def by_box(
        self, photo_id: str, box: Box, collection_id: str | None, allowed: Allowed
    ) -> FaceAdded:
        """Add the face under a box (photo frame) of the photo as it was detected last.

        Raises InvalidParameter, PhotoNotFound, AmbiguousPhoto, Forbidden, NoFacesDetected,
        LowQuality, whatever the analyzer and the stores raise.
        """
        if not is_sound(box):
            raise InvalidParameter("bbox", "needs finite figures, width and height above 0")
        photo = await self._photo(photo_id, collection_id, allowed)
        if not overlaps_photo(box, photo.revision.width, photo.revision.height):
            size = f"{photo.revision.width}×{photo.revision.height}"
            raise InvalidParameter("bbox", f"lies outside the photo, which is {size} pixels")
        face = best_match(box, photo.faces, _box_of, _MINIMUM_IOU)
        if face is None:
            face = await self._look_again(photo, box)
        return await self._add(_Kept(photo.revision, face), collection_id, allowed)

    async def _photo(self, photo_id: str, collection_id: str | None, allowed: Allowed) -> Photo:
        # The collection may be where the photo is, or where its face is to go.
        if collection_id is not None:
            ensure_allowed(collection_id, allowed)
            there = await self._as_detected_last(PhotoKey(collection_id, photo_id))
            if there is not None:
                return there
        key = await resolve_photo(self._records, photo_id, None, allowed)
        photo = await self._as_detected_last(key)
        if photo is None:
            raise PhotoNotFound(photo_id)
        return photo

    async def _as_detected_last(self, key: PhotoKey) -> Photo | None:
        return await self._records.staged(key) or await self._records.photo(key)

    async def _look_again(self, photo: Photo, box: Box) -> Face:
        image = await self._image(photo.revision)
        seen = await self._faces.analyze(
            image,
            look=LookPolicy.FULL,
            embed=Embed.NONE,
            region=grown(box, _REGION_MARGIN),
        )
        under = [face for face in seen.faces if holds_centre(box, face.face.box)]
        face = best_match(box, under or seen.faces, _seen_box_of, 0.0 if under else _MINIMUM_IOU)
        if face is None:
            raise NoFacesDetected("no face was found in this part of the photo; give another bbox")
        return await self._face_like(photo, face.face)

    async def _add(self, kept: _Kept, collection_id: str | None, allowed: Allowed) -> FaceAdded:
        goes_elsewhere = collection_id not in (None, kept.revision.photo.collection_id)
        if goes_elsewhere or kept.face.state is not FaceState.INDEXED:
            self._quality.require(kept.face.seen.quality)
        if collection_id is not None and goes_elsewhere:
            ensure_allowed(collection_id, allowed)
            kept = await self._copied(kept, collection_id)
        return await self._indexed(kept)

    async def _indexed(self, kept: _Kept) -> FaceAdded:
        revision, face = kept.revision, kept.face
        active = await self._spaces.active()
        if (
            active is not None
            and revision.state is RevisionState.LIVE
            and face.state is FaceState.INDEXED
            and active.holds(face.space_id)
        ):
            return FaceAdded(revision.photo, face, created=False, model=model_of(active))

        image = await self._image(revision)
        try:
            try:
                indexed, model = await self._store(revision, face, image)
            except EmbeddingSpaceMismatch as error:
                await self._spaces.require_change(error, self._faces)
                indexed, model = await self._store(revision, face, image)
        except BaseException:
            if self._sweep is not None:
                self._sweep.abandoned(revision.id)
            raise
        if self._sweep is not None and revision.state is RevisionState.STAGED:
            self._sweep.soon()  # the photo may have had other bytes, which are of no use any more
        return FaceAdded(revision.photo, indexed.face, created=indexed.created, model=model)

    async def _store(
        self, revision: Revision, face: Face, image: bytes
    ) -> tuple[FaceIndexed, Model]:
        """The vector first, then the record."""
        embedding, model = await self._faces.embed(image, face.seen.landmarks)
        space = await self._spaces.for_writing(model)
        vector = FaceVector(face.face_id, revision.photo, revision.id, embedding)
        await self._vectors.add(space, [vector])
        also: frozenset[SpaceId] = frozenset()
        if self._second is not None:
            also = await self._second.add(revision, image, [(face.number, face.seen)])
        return await self._records.index_face(face.face_id, space, also=also), model

    async def _copied(self, kept: _Kept, collection_id: str) -> _Kept:
        """The same face of the same photo in another collection; the photo comes along."""
        source = kept.revision
        target = PhotoKey(collection_id, source.photo.photo_id)
        there = await self._records.same_bytes(target, source.sha256)
        if there is None or there.revision.lost:
            there = await self._copied_photo(source, target)
        face = await self._face_like(there, kept.face.seen)
        return _Kept(there.revision, face)

    async def _copied_photo(self, source: Revision, target: PhotoKey) -> Photo:
        photo = await self._records.revision(source.id)
        image = await self._image(source)
        async with self._pending.writing(target, source.sha256, image) as revision:
            return await self._records.commit_staged(
                revision.id,
                width=source.width,
                height=source.height,
                faces=[face.seen for face in photo.faces] if photo else [],
            )

    async def _face_like(self, photo: Photo, seen: NewFace) -> Face:
        known = best_match(seen.box, photo.faces, _box_of, _SAME_FACE_IOU)
        return known or await self._records.append_face(photo.revision.id, seen)

    async def _image(self, revision: Revision) -> bytes:
        image = await self._photos.get(revision.id)
        if image is None:
            raise PhotoNotFound(revision.photo.photo_id)
        return image


@dataclass(frozen=True, slots=True)
class _Kept:
    """A face and the revision it is on."""

    revision: Revision
    face: Face


def _box_of(face: Face) -> Box:
    return face.seen.box


def _seen_box_of(face: SeenFace) -> Box:
    return face.face.box
