"""When a client of the rehearsals sends a request again. Pure.

The rule is the one that docs/rolling-updates.md gives to callers, and no more patient. Every
request of the load may be made twice: a search reads, an enrolment names its photo.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.rollout.journal import Attempt
from bench.rollout.requests import TIMEOUT_SECONDS

PATIENCE_SECONDS = 15.0
"""From the moment the request was due: after that it is not sent again."""
ANSWER_SECONDS = TIMEOUT_SECONDS + 2.0
"""For one answer: whoever is silent beyond the deadline that it was told is taken for dead."""
_TEMPORARY = frozenset({429, 503})


def pause_before_next(attempts: Sequence[Attempt], due: float) -> float | None:
    """Seconds to wait before the request is sent again; None: it is not.

    A refusal that says when to come back is followed as often as there is patience. A request whose
    connection broke is sent again at once, and only once.
    """
    last = attempts[-1]
    if last.is_ok:
        return None
    if last.status in _TEMPORARY and last.retry_after is not None:
        is_in_time = last.done + last.retry_after < due + PATIENCE_SECONDS
        return last.retry_after if is_in_time else None
    lost = sum(attempt.is_lost for attempt in attempts)
    return 0.0 if last.is_lost and lost == 1 else None
