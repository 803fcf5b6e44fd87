"""The cores of a machine or of a container, and who is on them.

Linux (6.6 and later) in so far as it decides latencies here. A thread that wakes takes the core it
was on, if that is idle, or an idle one, while the cores are not too busy to look for one; else it
waits, behind who woke it if fewer wait there. Whoever is on a core stays for a slice. A core that
falls idle takes over a thread that waits elsewhere, unless that one has only just run there; one
that stays idle looks again at every tick.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from bench.capacity.model.clock import Clock, Process, Resume

_HALF_LIFE_SECONDS = 0.032
"""Of how busy a core was (Linux: PELT)."""
_SEARCH = 1.17
"""Linux looks at n · (1 − (1.17 · busy)²) of n cores, below one at none (update_idle_cpu_scan)."""
_TICK_SECONDS = 0.004
"""250 a second, as usual."""
_PATIENT_TICKS = 2
"""At so many ticks in a row an idle core leaves who has only just run elsewhere, and then takes it
over all the same (Linux: cache_nice_tries)."""
_NOTHING = 1e-12
"""Seconds that are left by rounding."""


@dataclass(frozen=True, slots=True)
class Scheduling:
    """How cores are shared."""

    slice_seconds: float = 0.0005
    """How long a thread keeps a core that others want. Since Linux 6.6 who wakes and had little
    goes first: bursts of half a millisecond waited 0.08 ms beside long ones (measured). A line has
    one order here, so all take turns that short instead."""
    migration_seconds: float = 0.0005
    """A thread that ran so lately stays where it is (Linux: sched_migration_cost_ns)."""
    shared_speed: float = 1.0
    """Speed of a core while all are busy: they share caches and memory. Measured."""
    speeds: Sequence[float] = (1.0,)
    """Of all cores, one after the other and then again from the first: others use the machine too.
    Measured."""
    speeds_every: float = 0.1
    """How long each of them lasts."""


@dataclass(slots=True, eq=False)
class _Turn:
    """Work that wants a core."""

    seconds: float
    resume: Resume
    thread: Thread


class Cores:
    """So many cores, each with a line of threads that wait for it."""

    def __init__(self, clock: Clock, count: int, scheduling: Scheduling | None = None) -> None:
        self._clock = clock
        self._rules = scheduling or Scheduling()
        self._lines: list[deque[_Turn]] = [deque() for _ in range(count)]
        self._idle = set(range(count))
        self._looks_up_to = math.sqrt(1 - 1 / count) / _SEARCH
        """How busy cores may be that a thread which wakes still looks for an idle one."""
        self._busy = 0.0
        self._noted = 0.0
        self._is_watched = False
        """Whether the next tick is awaited: somebody waits though a core is idle."""
        self._ticked = 0
        """The number of the last tick that was awaited."""
        self._failed = 0
        """Ticks in a row at which an idle core took nobody over."""
        self._waking: int | None = None
        """The core whose thread is ending its turn, and wakes others with that."""
        self.used_seconds = 0.0
        """Of CPU time, by all threads."""

    @property
    def count(self) -> int:
        return len(self._lines)

    def run(self, thread: Thread, seconds: float, resume: Resume) -> None:
        """Let a thread have so many seconds of one core, and call back when it had them."""
        turn = _Turn(seconds, resume, thread)
        core = self._place(thread)
        if core in self._idle:
            self._note()
            self._idle.discard(core)
            self._slice(core, turn)
        else:
            self._lines[core].append(turn)
            self._watch()

    def _watch(self) -> None:
        """At a tick one of the idle cores looks who waits elsewhere."""
        if self._idle and not self._is_watched and any(self._lines):
            self._is_watched = True
            # A quotient may be rounded down at the very moment of a tick.
            self._ticked = max(self._ticked, math.floor(self._clock.now / _TICK_SECONDS)) + 1
            self._clock.at(self._ticked * _TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._is_watched = False
        if not self._idle or not any(self._lines):
            self._failed = 0
            return
        core = min(self._idle)
        turn = self._taken_over(is_patient=self._failed < _PATIENT_TICKS)
        if turn is None:
            self._failed += 1
        else:
            self._failed = 0
            self._note()
            self._idle.discard(core)
            self._slice(core, turn)
        self._watch()

    def _place(self, thread: Thread) -> int:
        """The core where a thread that wakes goes (Linux: select_task_rq_fair)."""
        home, before, thread.before = thread.home, thread.before, thread.home
        if home < 0:
            return min(self._idle) if self._idle else self._shortest()
        for known in (home, before):
            if known in self._idle:
                return known
        self._note()
        if self._idle and self._busy < self._looks_up_to:
            return min(self._idle)
        if self._waking is None:
            return home
        here = self._lines[self._waking]
        return self._waking if not here or len(here) < len(self._lines[home]) else home

    def _note(self) -> None:
        """How busy the cores were lately, as Linux counts it."""
        now = self._clock.now
        part = 1 - 0.5 ** ((now - self._noted) / _HALF_LIFE_SECONDS)
        self._busy += part * (1 - len(self._idle) / self.count - self._busy)
        self._noted = now

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
        turn.thread.ran = self._clock.now
        if turn.seconds <= _NOTHING:
            self._waking = core
            turn.resume()
            self._waking = None
        else:
            self._lines[core].append(turn)
        following = self._next(core)
        if following is None:
            self._note()
            self._idle.add(core)
            self._watch()
        else:
            self._slice(core, following)

    def _shortest(self) -> int:
        return min(range(len(self._lines)), key=lambda core: len(self._lines[core]))

    def _next(self, core: int) -> _Turn | None:
        if self._lines[core]:
            return self._lines[core].popleft()
        return self._taken_over(is_patient=True)

    def _taken_over(self, *, is_patient: bool) -> _Turn | None:
        """Who leaves the longest line; if patient, nobody who has only just run."""
        longest = max(self._lines, key=len)
        for turn in longest:
            since = self._clock.now - turn.thread.ran
            lately = since < self._rules.migration_seconds - _NOTHING
            if not (is_patient and lately):
                longest.remove(turn)
                return turn
        return None


class Thread:
    """Does one piece of work after the other, in the order they came."""

    def __init__(self, cores: Cores) -> None:
        self._cores = cores
        self._waiting: deque[tuple[float, Resume]] = deque()
        self._is_busy = False
        self.home = -1
        """The core it was on last; -1: none yet."""
        self.before = -1
        """… and where it was when it woke the time before (Linux: recent_used_cpu)."""
        self.ran = float("-inf")
        """When it was last on a core."""
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
