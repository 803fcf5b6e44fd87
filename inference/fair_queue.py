"""Which waiting items make the next batch: the policy, without a clock or a task of its own.

Items of one shape can share a session run. The callers take turns: the one whose turn it is brings
its oldest item, and with it the shape of the batch; the others fill the batch with items of that
shape, one each and again. So a call with one photo does not wait behind a call with sixty-four, and
no shape starves.
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
    """Waiting items by caller and shape.

    is_wanted: whether somebody still waits for the item, at a time.
    """

    def __init__(self, policy: BatchPolicy, is_wanted: Callable[[T, float], bool]) -> None:
        self._policy = policy
        self._is_wanted = is_wanted
        # In turn order: the first caller is next, and goes to the end when it was served.
        self._callers: OrderedDict[Hashable, dict[Hashable, deque[_Entry[T]]]] = OrderedDict()
        self._sizes: dict[Hashable, int] = {}

    def __len__(self) -> int:
        return sum(self._sizes.values())

    def put(self, item: T, *, shape: Hashable, caller: Hashable, now: float) -> None:
        """Add an item behind the others of its caller."""
        lanes = self._callers.setdefault(caller, {})
        lanes.setdefault(shape, deque()).append(_Entry(now, item))
        self._sizes[shape] = self._sizes.get(shape, 0) + 1

    def ready_at(self) -> float | None:
        """When the next batch can be drawn: in the past if at once, None if nothing waits."""
        return min((self._shape_ready_at(shape) for shape in self._sizes), default=None)

    def draw(self, now: float) -> Drawn[T]:
        """Take the next batch out of the queue.

        Items that nobody wants leave it too, and take no place in the batch.
        """
        unwanted: list[T] = []
        while ready := self._ready_shapes(now):
            shape = self._shape_in_turn(ready)
            batch: list[T] = []
            while len(batch) < self._policy.max_batch and shape in self._sizes:
                for caller in [c for c, lanes in self._callers.items() if shape in lanes]:
                    item = self._take(caller, shape)
                    (batch if self._is_wanted(item, now) else unwanted).append(item)
                    if len(batch) == self._policy.max_batch:
                        break
            if batch:
                return Drawn(batch, unwanted)
        return Drawn((), unwanted)

    def _ready_shapes(self, now: float) -> set[Hashable]:
        return {shape for shape in self._sizes if self._shape_ready_at(shape) <= now}

    def _shape_in_turn(self, ready: set[Hashable]) -> Hashable:
        """The shape of the oldest item of the first caller that has a ready one."""
        lanes = next(lanes for lanes in self._callers.values() if not ready.isdisjoint(lanes))
        own = [shape for shape in lanes if shape in ready]
        return min(own, key=lambda shape: lanes[shape][0].queued_at)

    def _shape_ready_at(self, shape: Hashable) -> float:
        if self._sizes[shape] >= self._policy.max_batch:
            return float("-inf")
        oldest = min(
            lanes[shape][0].queued_at for lanes in self._callers.values() if shape in lanes
        )
        return oldest + self._policy.max_delay_seconds

    def _take(self, caller: Hashable, shape: Hashable) -> T:
        lanes = self._callers[caller]
        entry = lanes[shape].popleft()
        if not lanes[shape]:
            del lanes[shape]
        if lanes:
            self._callers.move_to_end(caller)
        else:
            del self._callers[caller]
        self._sizes[shape] -= 1
        if not self._sizes[shape]:
            del self._sizes[shape]
        return entry.item
