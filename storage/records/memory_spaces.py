"""Spaces in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import replace

from storage.errors import SpaceInUse
from storage.identity import SpaceId
from storage.records.model import Space, SpaceState
from storage.records.space_rules import Destination, choose_space, missed_spaces


class MemorySpaces(ABC):
    """The part of the memory store about spaces."""

    def __init__(self) -> None:
        self._spaces: dict[SpaceId, Space] = {}

    async def add_space(self, space: Space) -> Space:
        return self._spaces.setdefault(space.id, space)

    async def spaces(self) -> Sequence[Space]:
        return [self._spaces[space] for space in sorted(self._spaces)]

    async def set_space_state(self, space: SpaceId, state: SpaceState) -> None:
        if space not in self._spaces:
            return
        if state is SpaceState.ACTIVE:
            self._retire_active()
        self._spaces[space] = replace(self._spaces[space], state=state)

    async def begin_filling(self, space: Space, target: str | None) -> Space:
        row = self._spaces.get(space.id, space)
        if space.id in self._spaces and row.state is SpaceState.ACTIVE:
            raise SpaceInUse(f"{space.id} (pack {space.pack}) is what is searched already")
        for other in self._spaces.values():
            if other.state is SpaceState.FILLING and other.id != space.id:
                raise SpaceInUse(f"{other.id} (pack {other.pack}) is being filled")
        self._spaces[space.id] = replace(row, state=SpaceState.FILLING, target=target)
        return self._spaces[space.id]

    async def activate_filled(self, space: SpaceId, *, behind: int) -> bool:
        row = self._spaces.get(space)
        if row is None or row.state is not SpaceState.FILLING or row.behind != behind:
            return False
        covered = {
            each
            for former in self._spaces.values()
            if former.state is SpaceState.ACTIVE
            for each in (former.id, *former.covers)
        } - {space}
        self._retire_active()
        self._spaces[space] = replace(row, state=SpaceState.ACTIVE, covers=row.covers | covered)
        return True

    async def set_space_target(self, space: SpaceId, target: str | None) -> None:
        if space in self._spaces:
            self._spaces[space] = replace(self._spaces[space], target=target)

    async def forget_space(self, space: SpaceId) -> None:
        active = next((s for s in self._spaces.values() if s.state is SpaceState.ACTIVE), None)
        if active is not None and active.id == space:
            raise SpaceInUse(f"{space} (pack {active.pack}) is what is searched")
        if active is not None and active.holds(space):
            self._rename_faces(space, active.id)
        self._spaces.pop(space, None)
        for other in list(self._spaces.values()):
            self._spaces[other.id] = replace(other, covers=other.covers - {space})

    @abstractmethod
    def _rename_faces(self, former: SpaceId, present: SpaceId) -> None:
        """Let faces of one space be of another; the part about photos keeps them."""

    def _destination(self, space: SpaceId, also: Collection[SpaceId]) -> Destination:
        states = {each.id: each.state for each in self._spaces.values()}
        chosen = choose_space(states, space, also)
        held = frozenset({chosen})
        if chosen in self._spaces:
            held |= self._spaces[chosen].covers
        return Destination(chosen, held, missed_spaces(states, space, also))

    def _note_missed(self, missed: Collection[SpaceId]) -> None:
        for space in missed:
            row = self._spaces[space]
            self._spaces[space] = replace(row, behind=row.behind + 1)

    def _is_held(self, indexed_in: SpaceId | None, space: SpaceId) -> bool:
        row = self._spaces.get(space)
        return indexed_in == space or (row is not None and row.holds(indexed_in))

    def _retire_active(self) -> None:
        for other in list(self._spaces.values()):
            if other.state is SpaceState.ACTIVE:
                self._spaces[other.id] = replace(other, state=SpaceState.RETIRED)
