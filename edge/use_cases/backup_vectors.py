"""The vectors of a base into a backup, by the service that has them open.

Everything else of a backup is copied by the command itself: records and photos take several
processes. A Milvus Lite folder does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from storage.backups.vectors import copy_space
from storage.identity import SpaceId
from storage.vectors.port import VectorStore

VECTORS_JOB = "backup_vectors"

Progress = Callable[[int, int | None], None]


class BackUpVectors:
    """Copies what the command wrote down as wanted, into the folder where it did."""

    def __init__(self, vectors: VectorStore) -> None:
        self._vectors = vectors

    async def __call__(
        self, arguments: Mapping[str, object], progress: Progress
    ) -> Mapping[str, object]:
        """Copy the vectors of each space.

        Arguments: `parts`, the folder of the backup's parts, and `spaces`, ids. The result is
        {space: vectors that were there}. Raises ValueError for other arguments, FolderRefused where
        the folder is not of this machine, StorageFull, VectorsUnavailable.
        """
        parts, spaces = arguments.get("parts"), arguments.get("spaces")
        if not isinstance(parts, str) or not isinstance(spaces, list):
            raise ValueError("the job names no folder and no spaces")
        result: dict[str, object] = {}
        looked = 0
        for space in map(SpaceId, map(str, spaces)):
            copied = await copy_space(self._vectors, Path(parts), space, progress, looked)
            looked += copied.faces + copied.missing
            result[space] = copied.faces
        return result
