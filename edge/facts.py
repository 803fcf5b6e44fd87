"""What becomes known about a request while it is answered, for its log line and the metrics."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from edge.keys import Caller

_KEY = "facesearch.facts"


@dataclass(slots=True)
class RequestFacts:
    """One request. Whoever learns something writes it down; the access log reads it at the end."""

    request_id: str
    started: float = field(default_factory=time.perf_counter)
    """time.perf_counter() at arrival."""
    caller: Caller | None = None
    code: str | None = None
    """The error code of the answer."""
    stage_seconds: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    effective: dict[str, float] = field(default_factory=dict)
    """Parameters as they were applied. Errors name them too; a default is nothing that one sent."""
    answered: float | None = None
    """time.perf_counter() when the answer was complete, if more of the body was read after it."""

    @property
    def elapsed_seconds(self) -> float:
        """From arrival until the answer was complete, or until now."""
        return (self.answered or time.perf_counter()) - self.started


# For whoever is called by a route and knows no scope; None: no request (the sweep, a job).
current_facts: ContextVar[RequestFacts | None] = ContextVar("current_facts", default=None)


def attach(scope: MutableMapping[str, Any], facts: RequestFacts) -> None:
    """Give the request its facts."""
    scope[_KEY] = facts


def facts_of(scope: MutableMapping[str, Any]) -> RequestFacts:
    """The facts of the request; the outermost middleware attached them."""
    facts = scope[_KEY]
    assert isinstance(facts, RequestFacts)  # noqa: S101  # a scope is untyped
    return facts


def caller_of(scope: MutableMapping[str, Any]) -> Caller:
    """Who calls. Only behind the key check."""
    caller = facts_of(scope).caller
    if caller is None:
        raise LookupError("the request did not pass the key check")
    return caller
