"""Which space new faces go to. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from storage.errors import EmbeddingSpaceMismatch
from storage.identity import SpaceId
from storage.records.model import SpaceState


@dataclass(frozen=True, slots=True)
class Destination:
    """Where faces are indexed that have vectors in some spaces."""

    space: SpaceId
    held: frozenset[SpaceId]
    """The space and those that it covers."""
    missed: frozenset[SpaceId]
    """Spaces that are being filled, and get nothing of it."""


def choose_space(
    states: Mapping[SpaceId, SpaceState], space: SpaceId, also: Collection[SpaceId]
) -> SpaceId:
    """The active one of those written to. Raises EmbeddingSpaceMismatch."""
    for candidate in (space, *sorted(also)):
        if states.get(candidate) is SpaceState.ACTIVE:
            return candidate
    if states.get(space) is SpaceState.RETIRED:
        active = sorted(s for s, state in states.items() if state is SpaceState.ACTIVE)
        raise EmbeddingSpaceMismatch(found=", ".join(active) or "none", wanted=space)
    return space


def missed_spaces(
    states: Mapping[SpaceId, SpaceState], space: SpaceId, also: Collection[SpaceId]
) -> frozenset[SpaceId]:
    """Those that are being filled, and were not written to."""
    return frozenset(
        candidate
        for candidate, state in states.items()
        if state is SpaceState.FILLING and candidate != space and candidate not in also
    )
