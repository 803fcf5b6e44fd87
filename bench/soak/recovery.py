"""How long after a fault all requests are answered right again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.soak.faults import INTERRUPTS_EDGE, Fault
from bench.soak.journal import Journal, Verdict

WINDOW_SECONDS = 3.0
"""A rate is full when it is over so long."""
FULL_SHARE = 0.99
"""Of the requests that were due in a window."""
_STEP_SECONDS = 0.1
_AFTERMATH_SECONDS = 10.0
"""After a fault of the edge, in which connections may still break."""


@dataclass(frozen=True, slots=True)
class Happened:
    """A fault as it came. Times are time.monotonic()."""

    fault: Fault
    victim: str
    begun: float
    undone: float
    """When the process of ours was started again or went on, when the store took connections, or
    when the disk was quick again."""


@dataclass(frozen=True, slots=True)
class Back:
    """What came after a fault."""

    happened: Happened
    seconds: float
    """From its end to the first window in which the rate was full; where there was none, as long
    as was looked."""
    is_back: bool


def back_to_full_rate(journal: Journal, happened: Happened, until: float) -> Back:
    """When the rate was full again.

    until: when the next fault comes, or the load ends; time.monotonic().
    """
    at = happened.undone
    while at + WINDOW_SECONDS <= until:
        first, last = np.searchsorted(journal.due, (at, at + WINDOW_SECONDS))
        verdicts = journal.verdict[first:last]
        if len(verdicts) and float((verdicts == Verdict.RIGHT).mean()) >= FULL_SHARE:
            return Back(happened, at - happened.undone, is_back=True)
        at += _STEP_SECONDS
    return Back(happened, max(0.0, until - happened.undone), is_back=False)


def unexplained(journal: Journal, happened: Sequence[Happened]) -> int:
    """Requests that got no answer though nobody had killed or stopped the edge."""
    is_unanswered = journal.verdict == Verdict.NO_ANSWER
    for one in happened:
        if one.fault.kind in INTERRUPTS_EDGE:
            may_break = (journal.done >= one.begun) & (
                journal.sent <= one.undone + _AFTERMATH_SECONDS
            )
            is_unanswered = is_unanswered & ~may_break
    return int(is_unanswered.sum())
