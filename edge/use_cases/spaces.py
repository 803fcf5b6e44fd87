"""Which embedding space the base lives in. Vectors of two spaces are never compared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from enum import Enum, auto
from functools import partial

from edge.use_cases.model import FaceAnalyzer, Model
from storage.errors import EmbeddingSpaceMismatch
from storage.identity import SpaceId
from storage.records.model import PhotoFilter, PhotoStatus, Space, SpaceState
from storage.records.port import RecordStore
from storage.vectors.port import VectorStore

# How long a space that was found active is taken to be so, without asking the records again.
_TRUSTED_SECONDS = 5.0


class Purpose(Enum):
    """What a space is needed for."""

    SEARCH = auto()
    WRITING = auto()


class Spaces:
    """The active space of the base, held against the model that inference answers with.

    One for all use cases: what one has found out, the others need not ask. Callers who need the
    same answer at the same time share one question, and its failure.
    """

    def __init__(
        self,
        vectors: VectorStore,
        records: RecordStore,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._vectors = vectors
        self._records = records
        self._clock = clock
        self._opened: set[SpaceId] = set()
        self._trusted: tuple[SpaceId, float] | None = None
        self._known: Sequence[Space] = ()
        self._asking: dict[tuple[Purpose, Model], asyncio.Task[bool]] = {}

    async def for_writing(self, model: Model) -> SpaceId:
        """The model's space, ready for additions; the first one of a base becomes its active one.

        So does another model's once nothing is indexed any more: a base that was emptied can change
        its pack. Raises EmbeddingSpaceMismatch if the base holds faces of another space.
        """
        if not self._is_trusted(model):
            await self._together(Purpose.WRITING, model, self._ready_for_writing)
        return model.space_id

    async def for_search(self, model: Model) -> bool:
        """Whether there is anything to search with this model; False: the base is empty.

        Raises EmbeddingSpaceMismatch if the base holds faces of another space.
        """
        if self._is_trusted(model):
            return True
        return await self._together(Purpose.SEARCH, model, self._ready_for_search)

    async def check(self, model: Model) -> None:
        """Raise EmbeddingSpaceMismatch if the base holds faces of another space. Asks the records
        only: a vector store that is away keeps nobody from knowing.
        """
        await self._holds_faces_of(model)

    async def active(self) -> Space | None:
        """The space that searches go to; None: nothing was ever indexed."""
        self._known = await self._records.spaces()
        active = self.known_active
        if self._trusted is not None and (active is None or active.id != self._trusted[0]):
            self._trusted = None  # the base has changed its pack
        return active

    def reopen(self, space: SpaceId) -> None:
        """Open the space anew before the next addition."""
        self._opened.discard(space)

    async def require_change(self, error: EmbeddingSpaceMismatch, faces: FaceAnalyzer) -> None:
        """Return if the base has changed its pack, and `faces` with it; otherwise raise `error`.

        It happens once in a change, to what was under way.
        """
        active = await self.active()
        if active is None or (await faces.model()).space_id != active.id:
            raise error

    @property
    def known_active(self) -> Space | None:
        """The active space, as it was when the records were asked last."""
        # Two edges with different packs, both on their very first photo, may each have made one:
        # the first by id is it for everybody.
        active = (space for space in self._known if space.state is _ACTIVE)
        return min(active, key=lambda space: space.id, default=None)

    @property
    def known_filling(self) -> Space | None:
        """The space that is being filled, as it was when the records were asked last."""
        return next((space for space in self._known if space.state is SpaceState.FILLING), None)

    async def open(self, space: SpaceId, dim: int) -> None:
        """Make a space ready for additions; once."""
        if space not in self._opened:
            await self._vectors.open_space(space, dim)
            self._opened.add(space)

    async def _ready_for_writing(self, model: Model) -> bool:
        active = await self.active()
        if active is None or (active.id != model.space_id and await self._is_empty()):
            active = await self._activate(model, after=active)
        self._ensure_same(active, model)
        await self._trust(model)
        return True

    async def _ready_for_search(self, model: Model) -> bool:
        if not await self._holds_faces_of(model):
            return False
        await self._trust(model)
        return True

    async def _together(
        self, purpose: Purpose, model: Model, ask: Callable[[Model], Coroutine[None, None, bool]]
    ) -> bool:
        """The answer to whoever asks for it now; a caller who goes stops nothing."""
        asking = self._asking.get((purpose, model))
        if asking is None:
            asking = self._asking[purpose, model] = asyncio.create_task(ask(model))
            asking.add_done_callback(partial(self._asked, purpose, model))
        return await asyncio.shield(asking)

    def _asked(self, purpose: Purpose, model: Model, asking: asyncio.Task[bool]) -> None:
        del self._asking[purpose, model]
        if not asking.cancelled():
            asking.exception()  # perhaps nobody is left to be told

    async def _holds_faces_of(self, model: Model) -> bool:
        """False: the base is empty. Raises EmbeddingSpaceMismatch."""
        active = await self.active()
        if active is None or (active.id != model.space_id and await self._is_empty()):
            return False
        self._ensure_same(active, model)
        return True

    async def _activate(self, model: Model, *, after: Space | None) -> Space:
        state = _ACTIVE if after is None else SpaceState.FILLING
        row = await self._records.add_space(
            Space(model.space_id, model.pack, model.version, model.dim, state)
        )
        if row.state is not _ACTIVE:
            await self._records.set_space_state(model.space_id, _ACTIVE)
        return await self.active() or row

    async def _trust(self, model: Model) -> None:
        await self.open(model.space_id, model.dim)
        self._trusted = (model.space_id, self._clock() + _TRUSTED_SECONDS)

    def _is_trusted(self, model: Model) -> bool:
        if self._trusted is None:
            return False
        space, until = self._trusted
        return space == model.space_id and self._clock() < until

    async def _is_empty(self) -> bool:
        return await self._records.count_photos(PhotoFilter(status=PhotoStatus.INDEXED)) == 0

    @staticmethod
    def _ensure_same(active: Space, model: Model) -> None:
        if active.id != model.space_id:
            raise EmbeddingSpaceMismatch(
                found=f"{active.id} (pack {active.pack})",
                wanted=f"{model.space_id} (pack {model.pack})",
            )


def model_of(space: Space) -> Model:
    """The model that a space was made with."""
    return Model(pack=space.pack, version=space.version, space_id=space.id, dim=space.dim)


_ACTIVE = SpaceState.ACTIVE
