"""How much the server holds at once. Owned by the event loop: no lock, no thread may touch it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from inference.errors import Overloaded

RETRY_AFTER_SECONDS = 1.0
"""What an overloaded server asks for: a full queue of searches is worked off in about that time."""


@dataclass(frozen=True, slots=True)
class Load:
    """Something that takes place: items and their bytes."""

    items: int
    size_bytes: int

    def __add__(self, other: Load) -> Load:
        return Load(self.items + other.items, self.size_bytes + other.size_bytes)

    def __sub__(self, other: Load) -> Load:
        return Load(self.items - other.items, self.size_bytes - other.size_bytes)

    def fits(self, capacity: Load) -> bool:
        """Whether it is within a capacity."""
        return self.items <= capacity.items and self.size_bytes <= capacity.size_bytes

    def share(self, fraction: float) -> Load:
        """A fraction of it, at least one item."""
        return Load(max(1, int(self.items * fraction)), int(self.size_bytes * fraction))


NOTHING = Load(0, 0)

_Waiting = tuple[Load, asyncio.Future[None]]


class Admission:
    """Work in flight, bounded in items and bytes.

    Unary calls enter at once or are refused at once; streams wait their turn, which is what stops
    them from being read further.

    waiting_share: of the capacity, what those who wait may fill. They fill whatever they find, so
    the rest is kept for those who cannot wait.
    """

    def __init__(
        self,
        capacity: Load,
        *,
        waiting_share: float = 1.0,
        on_change: Callable[[Load], None] = lambda _: None,
    ) -> None:
        self._capacity = capacity
        self._waiting_capacity = capacity.share(waiting_share)
        self._on_change = on_change
        self._held = NOTHING
        self.admitted = 0
        """How often something was let in."""
        self._held_by_waiters = NOTHING
        # In turn order: the first caller is next, and goes to the end when it was let in.
        self._waiting: OrderedDict[Hashable, deque[_Waiting]] = OrderedDict()

    @property
    def held(self) -> Load:
        """What is in flight."""
        return self._held

    @contextmanager
    def enter(self, load: Load) -> Iterator[None]:
        """Hold `load` for the length of the block.

        Raises:
            Overloaded: there is no room for it now.
        """
        if not (self._held + load).fits(self._capacity):
            raise Overloaded(
                f"{self._held.items} items of {self._held.size_bytes} bytes are in flight, of at "
                f"most {self._capacity.items} and {self._capacity.size_bytes}; try again later",
                RETRY_AFTER_SECONDS,
            )
        self._take(load)
        try:
            yield
        finally:
            self._give_back(load)

    @asynccontextmanager
    async def wait_and_enter(self, load: Load, caller: Hashable = None) -> AsyncIterator[None]:
        """Hold `load` for the length of the block; first wait, as `acquire` does."""
        await self.acquire(load, caller)
        try:
            yield
        finally:
            self.release(load)

    async def acquire(self, load: Load, caller: Hashable = None) -> None:
        """Hold `load` until it is released; first wait until it fits, in turn.

        Callers take turns, so that one with much to bring does not keep the others waiting. Whoever
        waits is never shut out: while none of them holds anything, the first enters, whatever its
        size and whatever else is in flight.
        """
        if not self._waiting and self._has_room(load):
            self._take_for_waiter(load)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append((load, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._admit_waiting()  # it may have stood in the way of smaller ones
            else:
                self.release(load)
            raise

    def release(self, load: Load) -> None:
        """Give back what `acquire` took."""
        self._held_by_waiters -= load
        self._give_back(load)

    def _has_room(self, load: Load) -> bool:
        return self._held_by_waiters == NOTHING or (self._held + load).fits(self._waiting_capacity)

    def _take(self, load: Load) -> None:
        self._held += load
        self.admitted += 1
        self._on_change(self._held)

    def _take_for_waiter(self, load: Load) -> None:
        self._held_by_waiters += load
        self._take(load)

    def _give_back(self, load: Load) -> None:
        self._held -= load
        self._on_change(self._held)
        self._admit_waiting()

    def _admit_waiting(self) -> None:
        while self._waiting:
            caller, line = next(iter(self._waiting.items()))
            load, turn = line[0]
            is_gone = turn.cancelled()
            if not is_gone and not self._has_room(load):
                return
            line.popleft()
            if not line:
                del self._waiting[caller]
            elif not is_gone:
                self._waiting.move_to_end(caller)
            if not is_gone:
                self._take_for_waiter(load)
                turn.set_result(None)
