"""Another pack for the whole base: every indexed face embedded again, while searches go on.

The faces stay what they are: their ids, boxes and names. The new space is filled beside the one
that is searched, then it becomes the active one in one transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import structlog

from edge.use_cases.embed_again import EmbedAgain, Pace, Progress, Round
from edge.use_cases.model import FaceAnalyzer, Model
from edge.use_cases.spaces import Spaces
from storage.records.model import Space, SpaceState
from storage.records.port import RecordStore
from storage.vectors.port import VectorStore

_log = structlog.get_logger("edge.reindex")

# Vectors are written to a log first and to a segment later, with keys beside them.
_BYTES_PER_DIMENSION = 4
_COPIES = 2
_BYTES_PER_KEY = 256
_ROOM_TO_SPARE = 64 * 2**20


class CannotReindex(Exception):
    """It was not begun, or cannot be gone on with. One line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class ReindexReport:
    """What a re-index did."""

    former: Model
    present: Model
    faces: int
    """Faces of the base."""
    embedded: int
    """… embedded this time; the others were there from a time before, or came meanwhile."""
    left_out: int
    """… that no search finds any more: their photo's bytes are lost or cannot be read."""
    rounds: int
    """How often all faces were looked at: once, and again for what came in behind."""
    seconds: float

    def as_json(self) -> Mapping[str, object]:
        """All of it by name, for a job's result and for `--json`."""
        return asdict(self)


class ReindexBase:
    """Fills a space and makes it the active one. May be stopped anywhere, and run again."""

    def __init__(
        self,
        vectors: VectorStore,
        records: RecordStore,
        embed_again: EmbedAgain,
        spaces: Spaces,
        *,
        free_bytes: Callable[[], int] | None = None,
    ) -> None:
        """`free_bytes`: what is free where the vectors are kept; None: nobody here knows."""
        self._vectors = vectors
        self._records = records
        self._embed_again = embed_again
        self._spaces = spaces
        self._free_bytes = free_bytes

    async def __call__(
        self, faces: FaceAnalyzer, target: str | None, *, pace: Pace, progress: Progress
    ) -> ReindexReport:
        """Re-index with the pack that `faces` runs.

        `target`: where others find it, host:port; None: nobody else serves the base. Raises
        CannotReindex, InferenceUnavailable and whatever the stores raise. What was done is kept
        then, and done once.
        """
        started = time.monotonic()
        model = await faces.model()
        former = await self._former(model)
        await self._ensure_room(model, former)
        space = await self._records.begin_filling(
            Space(model.space_id, model.pack, model.version, model.dim, SpaceState.FILLING), target
        )
        await self._spaces.active()  # so that what is enrolled here goes to both from now on
        await self._spaces.open(space.id, space.dim)
        _log.info("reindex_started", former=former.id, space=space.id, pack=space.pack)

        embedded = rounds = 0
        while True:
            # Read before the round: what comes in behind during the round makes it another one.
            behind = await self._behind(space)
            done = await self._embed_again(former.id, space, faces, pace, progress)
            embedded += done.embedded
            rounds += 1
            if await self._records.activate_filled(space.id, behind=behind):
                break
            _log.info("reindex_behind", space=space.id, round=rounds)
        await self._spaces.active()
        _log.info("reindex_done", space=space.id, embedded=embedded, left_out=done.left_out)
        return _report(former, model, done, embedded, rounds, time.monotonic() - started)

    async def _former(self, model: Model) -> Space:
        former = await self._spaces.active()
        if former is None:
            raise CannotReindex(
                "nothing was ever indexed here: start the service with the pack you want"
            )
        if former.id == model.space_id:
            raise CannotReindex(f"the base is of this pack already ({model.pack})")
        if former.target is not None:
            raise CannotReindex(
                f"the last change of pack is not finished: let the inference servers of the "
                f"settings run {former.pack}, then drop the space before it with "
                "`facesearch spaces drop`"
            )
        return former

    async def _ensure_room(self, model: Model, former: Space) -> None:
        if self._free_bytes is None:
            return
        faces = await self._vectors.count(former.id)
        known = {space for space in await self._vectors.spaces() if space == model.space_id}
        there = await self._vectors.count(model.space_id) if known else 0
        missing = max(0, faces - there)
        per_face = model.dim * _BYTES_PER_DIMENSION * _COPIES + _BYTES_PER_KEY
        needed = missing * per_face + _ROOM_TO_SPARE
        free = self._free_bytes()
        if free < needed:
            raise CannotReindex(
                f"a second space for {missing:,} faces needs about {_megabytes(needed)}, and "
                f"{_megabytes(free)} are free where the vectors are kept"
            )

    async def _behind(self, space: Space) -> int:
        for row in await self._records.spaces():
            if row.id == space.id and row.state is SpaceState.FILLING:
                return row.behind
        raise CannotReindex("somebody else has taken the space: run it again")


def _report(
    former: Space, model: Model, done: Round, embedded: int, rounds: int, seconds: float
) -> ReindexReport:
    return ReindexReport(
        former=Model(former.pack, former.version, former.id, former.dim),
        present=model,
        faces=done.faces,
        embedded=embedded,
        left_out=done.left_out,
        rounds=rounds,
        seconds=round(seconds, 1),
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
