"""The use cases that write or remove, each with a line in the audit log."""

from __future__ import annotations

from edge.audit import AuditEntry, AuditLog, AuditOutcome
from edge.use_cases.add_face import AddFace
from edge.use_cases.detect import DetectFaces
from edge.use_cases.enrol import EnrolPhoto
from edge.use_cases.model import Detection, Enrolment, FaceAdded
from edge.use_cases.remove import RemovePhotos
from edge.use_cases.resolve import Allowed
from storage.identity import PhotoKey
from storage.records.model import Box, Removed


class AuditedEnrol:
    """EnrolPhoto, told as put_photo."""

    def __init__(self, inner: EnrolPhoto | AuditedEnrol, audit: AuditLog) -> None:
        self._inner = inner
        self._audit = audit

    async def __call__(self, photo: PhotoKey, image: bytes, *, replace: bool = True) -> Enrolment:
        async with self._audit.action(
            "put_photo", collection_id=photo.collection_id, photo_id=photo.photo_id
        ) as entry:
            enrolment = await self._inner(photo, image, replace=replace)
            _note_enrolment(entry, enrolment)
            return enrolment


class AuditedDetect:
    """DetectFaces, told as detect_faces where the photo is kept."""

    def __init__(self, inner: DetectFaces | AuditedDetect, audit: AuditLog) -> None:
        self._inner = inner
        self._audit = audit

    async def __call__(self, photo: PhotoKey, image: bytes) -> Enrolment:
        async with self._audit.action(
            "detect_faces", collection_id=photo.collection_id, photo_id=photo.photo_id
        ) as entry:
            enrolment = await self._inner(photo, image)
            _note_enrolment(entry, enrolment)
            return enrolment

    async def preview(self, photo: PhotoKey, image: bytes) -> Detection:
        """Nothing is kept, so nothing is told."""
        return await self._inner.preview(photo, image)


class AuditedAddFace:
    """AddFace, told as add_face."""

    def __init__(self, inner: AddFace | AuditedAddFace, audit: AuditLog) -> None:
        self._inner = inner
        self._audit = audit

    async def by_face(self, face_id: str, collection_id: str | None, allowed: Allowed) -> FaceAdded:
        async with self._audit.action("add_face", collection_id=collection_id) as entry:
            entry.details["face_id"] = face_id
            added = await self._inner.by_face(face_id, collection_id, allowed)
            _note_face(entry, added)
            return added

    async def by_box(
        self, photo_id: str, box: Box, collection_id: str | None, allowed: Allowed
    ) -> FaceAdded:
        async with self._audit.action(
            "add_face", collection_id=collection_id, photo_id=photo_id
        ) as entry:
            added = await self._inner.by_box(photo_id, box, collection_id, allowed)
            _note_face(entry, added)
            return added


class AuditedRemove:
    """RemovePhotos, told as remove and remove_all."""

    def __init__(self, inner: RemovePhotos | AuditedRemove, audit: AuditLog) -> None:
        self._inner = inner
        self._audit = audit

    async def one(
        self, photo_id: str, collection_id: str | None, allowed: Allowed
    ) -> tuple[PhotoKey, Removed]:
        async with self._audit.action(
            "remove", collection_id=collection_id, photo_id=photo_id
        ) as entry:
            photo, removed = await self._inner.one(photo_id, collection_id, allowed)
            entry.collection_id = photo.collection_id
            entry.details["faces"] = removed.faces
            return photo, removed

    async def all(self, collections: frozenset[str] | None) -> Removed:
        """With the collections in one line, comma separated; none for the whole base."""
        named = None if collections is None else ",".join(sorted(collections))
        async with self._audit.action("remove_all", collection_id=named) as entry:
            removed = await self._inner.all(collections)
            entry.details |= {"photos": removed.photos, "faces": removed.faces}
            return removed


def _note_enrolment(entry: AuditEntry, enrolment: Enrolment) -> None:
    if not enrolment.created:
        entry.outcome = AuditOutcome.UNCHANGED
    entry.details["faces"] = len(enrolment.photo.faces)


def _note_face(entry: AuditEntry, added: FaceAdded) -> None:
    if not added.created:
        entry.outcome = AuditOutcome.UNCHANGED
    entry.collection_id, entry.photo_id = added.photo.collection_id, added.photo.photo_id
    entry.details["face_id"] = added.face.face_id
