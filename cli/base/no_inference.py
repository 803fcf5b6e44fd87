"""Standing in for inference where none runs and none is needed."""

# ruff: noqa: ARG002  # every method has one answer, whatever it is asked

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.errors import InferenceUnavailable
from edge.use_cases.model import Counting, Embed, LookPolicy, Model, SeenPhoto
from storage.records.model import Box

_WHY = "no inference runs for this command"


class NoInference:
    """A FaceAnalyzer that is away, so that stores can be compared without a pack."""

    async def analyze(
        self,
        image: bytes,
        *,
        look: LookPolicy,
        embed: Embed,
        counting: Counting = Counting(),  # noqa: B008  # frozen
        region: Box | None = None,
    ) -> SeenPhoto:
        raise InferenceUnavailable(_WHY)

    async def embed(
        self, image: bytes, landmarks: Sequence[tuple[float, float]]
    ) -> tuple[NDArray[np.float32], Model]:
        raise InferenceUnavailable(_WHY)

    async def model(self, *, is_asked_anew: bool = False) -> Model:
        raise InferenceUnavailable(_WHY)

    async def recommended_threshold(self, false_match_rate: float) -> float | None:
        raise InferenceUnavailable(_WHY)

    async def ping(self) -> None:
        raise InferenceUnavailable(_WHY)

    async def close(self) -> None:
        return
