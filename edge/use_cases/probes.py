"""Selfies seen a moment ago, so that their next page needs no inference."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.use_cases.model import Model, SeenFace


@dataclass(frozen=True, slots=True)
class Probe:
    """The face to search with."""

    face: SeenFace
    embedding: NDArray[np.float32]
    """(dim,), unit length."""
    faces_found: int
    """How many faces counted on the selfie."""
    model: Model


class ProbeCache:
    """The probes of the last selfies, by SHA-256, for a short time.

    Pages of one search are cut from one order: the same probe for all of them. A batch of another
    size may turn out an embedding that differs in its last bits.
    """

    def __init__(
        self, size: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._size = size
        self._seconds = seconds
        self._clock = clock
        self._probes: OrderedDict[str, tuple[float, Probe]] = OrderedDict()

    def get(self, sha256: str) -> Probe | None:
        """The probe of these bytes, if it is young enough."""
        expires, probe = self._probes.get(sha256, (0.0, None))
        if probe is None or self._clock() >= expires:
            self._probes.pop(sha256, None)
            return None
        self._probes.move_to_end(sha256)
        return probe

    def put(self, sha256: str, probe: Probe) -> None:
        """Remember the probe; the one unused for longest makes room."""
        if self._size <= 0:
            return
        self._probes[sha256] = (self._clock() + self._seconds, probe)
        self._probes.move_to_end(sha256)
        while len(self._probes) > self._size:
            self._probes.popitem(last=False)

    def drop(self, sha256: str) -> None:
        """Forget the probe of these bytes."""
        self._probes.pop(sha256, None)
