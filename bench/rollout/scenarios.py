"""What is rehearsed, and what callers may notice of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scenario(StrEnum):
    """What happens."""

    INFERENCE_UPDATE = "inference-update"
    """Both inference servers are replaced, surge first."""
    EDGE_UPDATE = "edge-update"
    DRAIN = "drain-in-flight"
    """A node goes: an edge and an inference server at once, with requests in flight."""
    EDGE_CRASH = "edge-crash"
    """kill -9; it is started again in its place."""
    INFERENCE_CRASH = "inference-crash"
    EDGE_HANG = "edge-hang"
    """SIGSTOP; the liveness probe ends it after a while."""
    INFERENCE_HANG = "inference-hang"
    POSTGRES_RESTART = "postgres-restart"
    """The only server; `fast`, as `systemctl restart` does it."""
    VECTORS_RESTART = "vectors-restart"
    INFERENCE_GONE = "inference-gone"
    """Both at once, and nothing is there for a minute."""


class Promise(StrEnum):
    """What is promised to callers."""

    UNNOTICED = "unnoticed"
    """Every request is answered right, the first time that it is sent."""
    IN_FLIGHT = "only what was in flight there"
    """What was in flight on the process that broke is sent again, once; nothing else is noticed."""
    REFUSED = "refused cleanly"
    """Refusals with a code and Retry-After; who comes back as asked is answered right."""
    AWAY = "refused cleanly while it lasts"
    """The same, for longer than callers have patience."""


@dataclass(frozen=True, slots=True)
class Promised:
    """Of one scenario."""

    promise: Promise
    back_seconds: float
    """From the end of the fault until nothing fails any more, at most."""


PROMISES = {
    Scenario.INFERENCE_UPDATE: Promised(Promise.UNNOTICED, 0.0),
    Scenario.EDGE_UPDATE: Promised(Promise.UNNOTICED, 0.0),
    Scenario.DRAIN: Promised(Promise.UNNOTICED, 0.0),
    Scenario.EDGE_CRASH: Promised(Promise.IN_FLIGHT, 0.0),
    Scenario.INFERENCE_CRASH: Promised(Promise.UNNOTICED, 0.0),
    Scenario.EDGE_HANG: Promised(Promise.IN_FLIGHT, 0.0),
    Scenario.INFERENCE_HANG: Promised(Promise.UNNOTICED, 0.0),
    Scenario.POSTGRES_RESTART: Promised(Promise.REFUSED, 5.0),
    Scenario.VECTORS_RESTART: Promised(Promise.REFUSED, 10.0),
    # Beside the edge's own time there is that of the name, whose addresses are told late.
    Scenario.INFERENCE_GONE: Promised(Promise.AWAY, 15.0),
}


@dataclass(frozen=True, slots=True)
class Happened:
    """A scenario as it came. Times are time.monotonic()."""

    scenario: Scenario
    begun: float
    over: float
    """When the fault ended: whatever was away takes calls again, or the last old pod is gone."""
    end: float
    """When the quiet after it ended."""
    victims: tuple[str, ...] = ()
    """Slots of the balancer with an edge that broke."""
    seen: tuple[str, ...] = ()
    """What else is worth telling."""
    broken: tuple[str, ...] = ()
    """What was not as it must be, beside the requests of the load."""
