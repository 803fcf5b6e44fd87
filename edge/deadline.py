"""What a request carries down to the calls it makes: its deadline, its id, its trace.

The middleware opens a `request_scope`; the inference client and the sweep's logs read it. Outside
a request (at start, in the sweep) there is no deadline and no id.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Seconds of time.monotonic() at which nobody waits for the answer any more; None: no deadline.
current_deadline: ContextVar[float | None] = ContextVar("current_deadline", default=None)
# The request's id, 1–128 visible ASCII characters; None: no request.
current_request_id: ContextVar[str | None] = ContextVar("current_request_id", default=None)
# The W3C trace context header for calls that are made now: of the span that is open (edge.tracing),
# or as the request brought it; None: neither.
current_traceparent: ContextVar[str | None] = ContextVar("current_traceparent", default=None)


@contextmanager
def request_scope(
    *,
    timeout_seconds: float | None,
    request_id: str | None = None,
    traceparent: str | None = None,
) -> Iterator[None]:
    """Everything inside belongs to this request. `timeout_seconds` counts from now."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    deadline_token = current_deadline.set(deadline)
    request_token = current_request_id.set(request_id)
    trace_token = current_traceparent.set(traceparent)
    try:
        yield
    finally:
        current_traceparent.reset(trace_token)
        current_request_id.reset(request_token)
        current_deadline.reset(deadline_token)


def remaining_seconds() -> float | None:
    """Seconds left, at least 0; None: no deadline."""
    deadline = current_deadline.get()
    return None if deadline is None else max(0.0, deadline - time.monotonic())
