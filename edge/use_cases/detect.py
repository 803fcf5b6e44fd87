"""The faces of a photo, kept so that single ones can be added (POST /detect_faces/)."""

from __future__ import annotations

from edge.use_cases.digest import sha256_of
from edge.use_cases.model import Detection, Embed, Enrolment, FaceAnalyzer, LookPolicy
from edge.use_cases.pending import PendingRevisions
from edge.use_cases.spaces import Spaces, model_of
from edge.use_cases.sweep import Sweep
from storage.identity import PhotoKey
from storage.photos.port import PhotoStore
from storage.records.port import RecordStore
from storage.vectors.port import VectorStore


class DetectFaces:
    """Keeps a photo and its detections; nothing of it can be found until a face is added.

    Other bytes under a known name are staged beside the photo that is indexed, which stays as it
    is until the first face of the new bytes is added.
    """

    def __init__(
        self,
        faces: FaceAnalyzer,
        vectors: VectorStore,
        records: RecordStore,
        photos: PhotoStore,
        *,
        sweep: Sweep | None = None,
        spaces: Spaces | None = None,
    ) -> None:
        self._faces = faces
        self._records = records
        self._spaces = spaces or Spaces(vectors, records)
        self._pending = PendingRevisions(records, photos, sweep)

    async def __call__(self, photo: PhotoKey, image: bytes) -> Enrolment:
        """The photo with its detections, `created` if they are new.

        Bytes that are known under this name are answered from the records, without inference.
        """
        sha256 = await sha256_of(image)
        known = await self._records.same_bytes(photo, sha256)
        if known is not None and not known.revision.lost:
            active = await self._spaces.active()
            model = await self._faces.model() if active is None else model_of(active)
            return Enrolment(photo=known, created=False, model=model)

        async with self._pending.writing(photo, sha256, image) as revision:
            seen = await self._faces.analyze(image, look=LookPolicy.FULL, embed=Embed.NONE)
            kept = await self._records.commit_staged(
                revision.id,
                width=seen.width,
                height=seen.height,
                faces=[face.face for face in seen.faces],
            )
        return Enrolment(photo=kept, created=kept.revision.id == revision.id, model=seen.model)

    async def preview(self, photo: PhotoKey, image: bytes) -> Detection:
        """The faces of the photo; nothing is kept."""
        seen = await self._faces.analyze(image, look=LookPolicy.FULL, embed=Embed.NONE)
        return Detection(photo=photo, seen=seen)
