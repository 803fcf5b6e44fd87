"""A space that is not searched any more goes, with its vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from storage.errors import SpaceInUse
from storage.records.model import Space, SpaceState
from storage.records.port import RecordStore
from storage.vectors.port import VectorStore


class NoSuchSpace(Exception):
    """No space has this id. One line that says how to list them."""


@dataclass(frozen=True, slots=True)
class SpaceDropped:
    """What went."""

    space: str
    pack: str
    vectors: int

    def as_json(self) -> Mapping[str, object]:
        """All of it by name."""
        return asdict(self)


class DropSpace:
    """Vectors first, then the row that names them; may be repeated."""

    def __init__(self, vectors: VectorStore, records: RecordStore) -> None:
        self._vectors = vectors
        self._records = records

    async def __call__(self, space: str) -> SpaceDropped:
        """Drop the space of this id.

        Raises NoSuchSpace; SpaceInUse if it is searched, or if the change to the one that is
        searched is not finished; whatever the stores raise.
        """
        known = await self._records.spaces()
        row = next((each for each in known if each.id == space), None)
        if row is None:
            raise NoSuchSpace(f"there is no space {space}; `facesearch spaces list` lists them")
        self._ensure_unused(row, known)
        count = 0
        if row.id in await self._vectors.spaces():
            count = await self._vectors.count(row.id)
            await self._vectors.drop_space(row.id)
        await self._records.forget_space(row.id)
        return SpaceDropped(row.id, row.pack, count)

    @staticmethod
    def _ensure_unused(row: Space, known: Sequence[Space]) -> None:
        if row.state is SpaceState.ACTIVE:
            raise SpaceInUse(f"{row.id} (pack {row.pack}) is what is searched")
        for active in known:
            if active.state is SpaceState.ACTIVE and active.target and active.holds(row.id):
                raise SpaceInUse(
                    f"the change to {active.pack} is not finished: the inference servers of the "
                    f"settings do not run it yet; {row.pack} is kept until they do"
                )
