"""Who asked for a piece of work, and until when."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from inference.errors import DeadlinePassed
from inference.tracing import UNTRACED, Trace


@dataclass(frozen=True, slots=True)
class Call:
    """One remote call, as the stages see it."""

    caller: str
    """Whose turn it is when queues share out the sessions: one name a call."""
    deadline: float | None = None
    """On the clock of time.monotonic(); None: whenever it is done."""
    trace: Trace = field(default=UNTRACED, compare=False)
    """Where the work is noted."""

    @classmethod
    def begin(cls, caller: str, timeout_seconds: float | None, trace: Trace = UNTRACED) -> Call:
        """A call that begins now and may take so long; None: as long as it takes."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        return cls(caller, deadline, trace)

    def under(self, trace: Trace) -> Call:
        """The same call; its work is noted in this part of its trace."""
        return self if trace is self.trace else replace(self, trace=trace)

    def remaining_seconds(self, now: float) -> float | None:
        """Until the deadline; negative if it has passed, None if there is none."""
        return None if self.deadline is None else self.deadline - now

    def is_expired(self, now: float) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and now >= self.deadline

    def check(self, now: float) -> None:
        """Go on only if somebody can still read the answer.

        Raises:
            DeadlinePassed: nobody can.
        """
        if self.is_expired(now):
            raise DeadlinePassed("the deadline passed before the work was done")
