"""Which waiting items make the next batch: the policy, without a clock or a task of its own.

Items of one shape can share a session run. Inside a shape the callers take turns, one item each, so
that a call with one photo does not wait behind a call with sixty-four; between shapes the one whose
oldest item has waited longest goes first, so that no shape starves.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """How batches are cut."""

    max_batch: int = 1
    max_delay_seconds: float = 0.0
    """How long an item may wait for company while a session is free. 0: it never waits, and the
    next batch is what queued up while the sessions worked (as text-embeddings-inference does)."""
    buckets: tuple[int, ...] = ()
    """Ascending sizes that a batch is padded up to, so that a GPU sees few shapes and its memory
    stays flat. Empty: no padding, which on a CPU would only be work."""

    def __post_init__(self) -> None:
        if self.max_batch < 1:
            raise ValueError("max_batch must be at least 1")
        if list(self.buckets) != sorted(set(self.buckets)):
            raise ValueError("buckets must ascend")

    def padded_size(self, size: int) -> int:
        """What a batch of `size` items is padded up to; `size` itself above the largest bucket."""
        return next((bucket for bucket in self.buckets if bucket >= size), size)

    def warm_sizes(self) -> tuple[int, ...]:
        """Every batch size worth running once before the first request."""
        if self.buckets:
            return tuple(sorted({self.padded_size(n) for n in range(1, self.max_batch + 1)}))
        return tuple(sorted({1, self.max_batch}))


@dataclass(frozen=True, slots=True)
class Drawn(Generic[T]):
    """What left the queue."""

    batch: Sequence[T]
    """Items of one shape, in turn order; empty: nothing is ready."""
    unwanted: Sequence[T]
    """Items met on the way that nobody waits for."""


@dataclass(slots=True)
class _Entry(Generic[T]):
    queued_at: float
    item: T


class FairQueue(Generic[T]):
    """Waiting items by shape and caller.

    is_wanted: whether somebody still waits for the item, at a time.
    """

    def __init__(self, policy: BatchPolicy, is_wanted: Callable[[T, float], bool]) -> None:
        self._policy = policy
        self._is_wanted = is_wanted
        # Callers in turn order: the first one is next, and goes to the end when it was served.
        self._shapes: dict[Hashable, OrderedDict[Hashable, deque[_Entry[T]]]] = {}
        self._sizes: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return sum(self._sizes.values())

    def put(self, item: T, *, shape: Hashable, caller: Hashable, now: float) -> None:
        """Add an item behind the others of its caller."""
        lanes = self._shapes.setdefault(shape, OrderedDict())
        lanes.setdefault(caller, deque()).append(_Entry(now, item))
        self._sizes[shape] = self._sizes.get(shape, 0) + 1

    def ready_at(self) -> float | None:
        """When the next batch can be drawn: in the past if at once, None if nothing waits."""
        return min((self._shape_ready_at(shape) for shape in self._shapes), default=None)

    def draw(self, now: float) -> Drawn[T]:
        """Take the next batch out of the queue.

        Items that nobody wants leave it too, and take no place in the batch.
        """
        unwanted: list[T] = []
        while True:
            ready = [s for s in self._shapes if self._shape_ready_at(s) <= now]
            if not ready:
                return Drawn((), unwanted)
            batch: list[T] = []
            shape = min(ready, key=self._oldest)
            while len(batch) < self._policy.max_batch and shape in self._shapes:
                item = self._next_in_turn(shape)
                (batch if self._is_wanted(item, now) else unwanted).append(item)
            if batch:
                return Drawn(batch, unwanted)

    def _oldest(self, shape: Hashable) -> float:
        return min(lane[0].queued_at for lane in self._shapes[shape].values())

    def _shape_ready_at(self, shape: Hashable) -> float:
        if self._sizes[shape] >= self._policy.max_batch:
            return float("-inf")
        return self._oldest(shape) + self._policy.max_delay_seconds

    def _next_in_turn(self, shape: Hashable) -> T:
        lanes = self._shapes[shape]
        caller, lane = next(iter(lanes.items()))
        entry = lane.popleft()
        if lane:
            lanes.move_to_end(caller)
        else:
            del lanes[caller]
        self._sizes[shape] -= 1
        if not lanes:
            del self._shapes[shape], self._sizes[shape]
        return entry.item
