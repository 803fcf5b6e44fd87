"""The time that a request waited for inference, noted in its facts."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from edge.facts import current_facts
from edge.use_cases.model import Counting, Embed, FaceAnalyzer, LookPolicy, Model, SeenPhoto
from storage.records.model import Box

_STAGE = "inference"


class TimedFaces:
    """A FaceAnalyzer over another one."""

    def __init__(self, inner: FaceAnalyzer) -> None:
        self._inner = inner

    async def analyze(
        self,
        image: bytes,
        *,
        look: LookPolicy,
        embed: Embed,
        counting: Counting = Counting(),  # noqa: B008  # frozen
        region: Box | None = None,
    ) -> SeenPhoto:
        with _noted():
            return await self._inner.analyze(
                image, look=look, embed=embed, counting=counting, region=region
            )

    async def embed(
        self, image: bytes, landmarks: Sequence[tuple[float, float]]
    ) -> tuple[NDArray[np.float32], Model]:
        with _noted():
            return await self._inner.embed(image, landmarks)

    async def model(self, *, is_asked_anew: bool = False) -> Model:
        return await self._inner.model(is_asked_anew=is_asked_anew)

    async def recommended_threshold(self, false_match_rate: float) -> float | None:
        return await self._inner.recommended_threshold(false_match_rate)

    async def ping(self) -> None:
        await self._inner.ping()

    async def close(self) -> None:
        await self._inner.close()


@contextmanager
def _noted() -> Iterator[None]:
    started = time.perf_counter()
    try:
        yield
    finally:
        facts = current_facts.get()
        if facts is not None:
            took = time.perf_counter() - started
            facts.stage_seconds[_STAGE] = facts.stage_seconds.get(_STAGE, 0.0) + took
