"""The cores of a machine or of a container, and who is on them.

Linux in so far as it decides latencies here: a thread that wakes takes an idle core, or waits in
the line of the core that it was on; whoever is on a core stays for a slice; and a core that falls
idle takes over a thread that waits elsewhere, unless it has only just begun to wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bench.capacity.model.clock import Clock, Process, Resume

_NOTHING = 1e-12
"""Seconds that are left by rounding."""


@dataclass(frozen=True, slots=True)
class Scheduling:
    """How cores are shared."""

    slice_seconds: float = 0.004
    """How long a thread keeps a core that others want: a tick, of the usual 250 a second."""
    migration_seconds: float = 0.0005
    """A thread that has waited for less stays where it is (Linux: sched_migration_cost_ns)."""
    shared_speed: float = 1.0
    """Speed of a core while all are busy: they share caches and memory. Measured."""
    speeds: Sequence[float] = (1.0,)
    """Of all cores, one after the other and then again from the first: others use the machine too.
    Measured."""
    speeds_every: float = 0.1
    """How long each of them lasts."""


@dataclass(slots=True)
class _Turn:
    """Work that wants a core."""

    seconds: float
    resume: Resume
    thread: Thread
    since: float


class Cores:
    """So many cores, each with a line of threads that wait for it."""

    def __init__(self, clock: Clock, count: int, scheduling: Scheduling | None = None) -> None:
        self._clock = clock
        self._rules = scheduling or Scheduling()
        self._lines: list[deque[_Turn]] = [deque() for _ in range(count)]
        self._idle = set(range(count))
        self.used_seconds = 0.0
        """Of CPU time, by all threads."""

    @property
    def count(self) -> int:
        return len(self._lines)

    def run(self, thread: Thread, seconds: float, resume: Resume) -> None:
        """Let a thread have so many seconds of one core, and call back when it had them."""
        turn = _Turn(seconds, resume, thread, self._clock.now)
        if self._idle:
            core = thread.home if thread.home in self._idle else min(self._idle)
            self._idle.discard(core)
            self._slice(core, turn)
        else:
            core = thread.home if thread.home >= 0 else self._shortest()
            self._lines[core].append(turn)

    def _slice(self, core: int, turn: _Turn) -> None:
        turn.thread.home = core
        work = min(turn.seconds, self._rules.slice_seconds)
        speed = self._rules.shared_speed if not self._idle and self.count > 1 else 1.0
        place = int(self._clock.now / self._rules.speeds_every) % len(self._rules.speeds)
        speed *= self._rules.speeds[place]
        took = work / speed
        turn.seconds -= work
        turn.thread.used_seconds += took
        self.used_seconds += took
        self._clock.at(self._clock.now + took, partial(self._end, core, turn))

    def _end(self, core: int, turn: _Turn) -> None:
        is_done = turn.seconds <= _NOTHING
        if not is_done:
            turn.since = self._clock.now
            self._lines[core].append(turn)
        following = self._next(core)
        if following is None:
            self._idle.add(core)
        else:
            self._slice(core, following)
        if is_done:
            turn.resume()

    def _shortest(self) -> int:
        return min(range(len(self._lines)), key=lambda core: len(self._lines[core]))

    def _next(self, core: int) -> _Turn | None:
        if self._lines[core]:
            return self._lines[core].popleft()
        longest = max(self._lines, key=len)
        if longest and self._clock.now - longest[0].since >= self._rules.migration_seconds:
            return longest.popleft()
        return None


class Thread:
    """Does one piece of work after the other, in the order they came."""

    def __init__(self, cores: Cores) -> None:
        self._cores = cores
        self._waiting: deque[tuple[float, Resume]] = deque()
        self._is_busy = False
        self.home = -1
        """The core it was on last; -1: none yet."""
        self.used_seconds = 0.0
        """Of CPU time."""

    def work(self, seconds: float, wakes: int = 1) -> Process[None]:
        """So much CPU time, in so many equal pieces: it lets go of its core between them."""
        for _ in range(wakes):
            yield partial(self.put, seconds / wakes)

    def put(self, seconds: float, resume: Resume) -> None:
        """One piece of work at the end of the line."""
        self._waiting.append((seconds, resume))
        if not self._is_busy:
            self._take()

    def _take(self) -> None:
        self._is_busy = True
        seconds, resume = self._waiting.popleft()
        self._cores.run(self, seconds, partial(self._done, resume))

    def _done(self, resume: Resume) -> None:
        self._is_busy = False
        if self._waiting:
            self._take()
        resume()


class Pool:
    """One line before several threads."""

    def __init__(self, cores: Cores, threads: int) -> None:
        self._free = [Thread(cores) for _ in range(threads)]
        self._waiting: deque[Resume] = deque()

    @property
    def waiting(self) -> int:
        """How many have no thread yet."""
        return len(self._waiting)

    def thread(self) -> Process[Thread]:
        """Wait for a thread and keep it until it is given back."""
        if not self._free:
            yield self._waiting.append
        return self._free.pop()

    def give_back(self, thread: Thread) -> None:
        """The next in line may have it."""
        self._free.append(thread)
        if self._waiting:
            self._waiting.popleft()()
