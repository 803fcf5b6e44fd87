"""Two packs side by side, while a base changes from one to the other.

The settings name inference servers of one pack. The records name, beside them, a server of the pack
that the base is changing to, or has changed to. Whichever of the two serves the space that is
searched is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray

from edge.errors import EdgeError, InferenceUnavailable
from edge.inference_errors import InferenceFault
from edge.use_cases.model import Counting, Embed, FaceAnalyzer, LookPolicy, Model, SeenPhoto
from edge.use_cases.spaces import Spaces
from storage.identity import SpaceId
from storage.records.model import Box, Space

Connect = Callable[[str], FaceAnalyzer]
"""An analyzer over the inference server at host:port."""

_Answer = TypeVar("_Answer")

_log = structlog.get_logger("edge.two_packs")


class TwoPacks:
    """A FaceAnalyzer over one or two others.

    With one pack, which is the rule, it hands every call on and asks nobody.
    """

    def __init__(self, first: FaceAnalyzer, connect: Connect, spaces: Spaces) -> None:
        """`first`: the servers of the settings. `spaces`: asked for what the records said last."""
        self._first = first
        self._connect = connect
        self._spaces = spaces
        self._second: FaceAnalyzer | None = None
        self._second_target: str | None = None
        self._serves: dict[int, SpaceId] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def analyze(
        self,
        image: bytes,
        *,
        look: LookPolicy,
        embed: Embed,
        counting: Counting = Counting(),  # noqa: B008  # frozen
        region: Box | None = None,
    ) -> SeenPhoto:
        async def ask(faces: FaceAnalyzer) -> tuple[SeenPhoto, Model]:
            seen = await faces.analyze(
                image, look=look, embed=embed, counting=counting, region=region
            )
            return seen, seen.model

        return (await self._ask(ask))[0]

    async def embed(
        self, image: bytes, landmarks: Sequence[tuple[float, float]]
    ) -> tuple[NDArray[np.float32], Model]:
        async def ask(
            faces: FaceAnalyzer,
        ) -> tuple[tuple[NDArray[np.float32], Model], Model]:
            embedded = await faces.embed(image, landmarks)
            return embedded, embedded[1]

        return (await self._ask(ask))[0]

    async def model(self, *, is_asked_anew: bool = False) -> Model:
        async def ask(faces: FaceAnalyzer) -> tuple[Model, Model]:
            model = await faces.model(is_asked_anew=is_asked_anew)
            return model, model

        return (await self._ask(ask))[0]

    async def recommended_threshold(self, false_match_rate: float) -> float | None:
        model = await self.model()
        for faces in self._in_turn():
            if self._serves.get(id(faces)) == model.space_id:
                return await faces.recommended_threshold(false_match_rate)
        return await self._first.recommended_threshold(false_match_rate)

    async def ping(self) -> None:
        """Return if the one that is asked first serves, or else the other one."""
        first, *other = self._in_turn()
        try:
            await first.ping()
        except EdgeError:
            if not other:
                raise
            await other[0].ping()

    async def close(self) -> None:
        """Close the connection to the second server. The first is closed by whoever made it."""
        await asyncio.gather(*self._closing, return_exceptions=True)
        if self._second is not None:
            await self._second.close()

    async def first_serves(self, space: Space) -> bool:
        """Whether the servers of the settings run the pack of this space.

        Raises whatever the analyzer raises.
        """
        return (await self._first.model(is_asked_anew=True)).space_id == space.id

    def filling(self) -> tuple[Space, FaceAnalyzer] | None:
        """The space that is being filled, and who embeds for it; None: there is none."""
        space = self._spaces.known_filling
        second = self._named()
        return None if space is None or second is None else (space, second)

    async def _ask(
        self, ask: Callable[[FaceAnalyzer], Awaitable[tuple[_Answer, Model]]]
    ) -> tuple[_Answer, Model]:
        """The answer of whoever serves the active space; of the first, if nobody does."""
        first, *others = self._in_turn()
        if not others:
            return await ask(first)
        other = others[0]
        try:
            answer = await self._noted(first, ask)
        except (InferenceUnavailable, InferenceFault):
            answer = await self._noted(other, ask)
            if not self._is_searched(answer[1]):
                raise
            return answer
        if self._is_searched(answer[1]):
            return answer
        try:
            second = await self._noted(other, ask)
        except (EdgeError, InferenceFault) as error:
            _log.warning("second_pack_away", cause=str(error))
            return answer
        return second if self._is_searched(second[1]) else answer

    async def _noted(
        self,
        faces: FaceAnalyzer,
        ask: Callable[[FaceAnalyzer], Awaitable[tuple[_Answer, Model]]],
    ) -> tuple[_Answer, Model]:
        answer = await ask(faces)
        self._serves[id(faces)] = answer[1].space_id
        return answer

    def _is_searched(self, model: Model) -> bool:
        active = self._spaces.known_active
        return active is None or active.id == model.space_id

    def _in_turn(self) -> Sequence[FaceAnalyzer]:
        """Who may be asked; first who is known to serve the active space."""
        second = self._named()
        if second is None:
            return (self._first,)
        active = self._spaces.known_active
        if active is not None:
            # The one that the records name for a space serves it, until it has said otherwise.
            told = active.id if active.target is not None else None
            serves = self._serves.get(id(second), told)
            if serves == active.id and self._serves.get(id(self._first)) != active.id:
                return (second, self._first)
        return (self._first, second)

    def _named(self) -> FaceAnalyzer | None:
        """The server that the records name, connected to; the one before is closed."""
        space = self._spaces.known_filling or self._spaces.known_active
        target = None if space is None else space.target
        if target != self._second_target:
            if self._second is not None:
                self._serves.pop(id(self._second), None)
                closing = asyncio.create_task(self._second.close())
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
            self._second = None if target is None else self._connect(target)
            self._second_target = target
        return self._second
