"""What is enrolled while another space is being filled goes there, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import structlog

from edge.errors import EdgeError
from edge.inference_errors import InferenceFault
from edge.use_cases.model import FaceAnalyzer
from edge.use_cases.spaces import Spaces
from storage.errors import StorageError
from storage.identity import SpaceId, face_id_of
from storage.records.model import NewFace, Revision, Space
from storage.vectors.port import FaceVector, VectorStore

_log = structlog.get_logger("edge.second_space")

NumberedFaces = Sequence[tuple[int, NewFace]]


class HasSecondPack(Protocol):
    """Who knows what is being filled."""

    def filling(self) -> tuple[Space, FaceAnalyzer] | None: ...


class SecondSpace:
    """Embeds the same faces with the pack that the base is changing to.

    It never fails an enrolment: what it could not add, the re-index comes back for. The records
    count it, and no space becomes the active one before nothing is behind.
    """

    def __init__(self, packs: HasSecondPack, vectors: VectorStore, spaces: Spaces) -> None:
        self._packs = packs
        self._vectors = vectors
        self._spaces = spaces

    async def add(
        self, revision: Revision, image: bytes, faces: NumberedFaces
    ) -> frozenset[SpaceId]:
        """The spaces that have all of these faces of the revision now; most often none."""
        filling = self._packs.filling()
        if filling is None:
            return frozenset()
        space, second = filling
        try:
            vectors = []
            for number, face in faces:
                embedding, model = await second.embed(image, face.landmarks)
                if model.space_id != space.id:
                    return frozenset()
                face_id = face_id_of(revision.id, number)
                vectors.append(FaceVector(face_id, revision.photo, revision.id, embedding))
            await self._spaces.open(space.id, space.dim)
            if vectors:
                await self._vectors.add(space.id, vectors)
        except (EdgeError, StorageError, InferenceFault) as error:
            _log.warning("second_space_missed", space=space.id, cause=str(error))
            self._spaces.reopen(space.id)  # it may have been dropped and be made anew
            return frozenset()
        return frozenset({space.id})
