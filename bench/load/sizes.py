"""How much of the load test each form does."""

from __future__ import annotations

from dataclasses import dataclass

from bench.kit.result import Form


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of one form."""

    photos_per_collection: int
    selfies: int
    """Made; those that show one face are searched with."""
    quiet_rate: float
    """Requests a second while nothing waits, every selfie once."""
    warm_seconds: float
    step_seconds: float
    """Of each rate that is tried."""
    attempts: int
    """At a rate that does not hold."""
    resolution: float
    """Of the highest rate, as a fraction of it."""
    hold_seconds: float
    """Of the reference rate."""
    overload_seconds: float
    analyze_seconds: float
    """Of gRPC at the reference rate."""
    searches_analyze: bool
    """Whether gRPC's highest rate is searched for too."""


SIZES = {
    Form.SHORT: Sizes(
        photos_per_collection=100,
        selfies=60,
        quiet_rate=15.0,
        warm_seconds=2.0,
        step_seconds=2.0,
        attempts=1,
        resolution=0.15,
        hold_seconds=10.0,
        overload_seconds=4.0,
        analyze_seconds=4.0,
        searches_analyze=False,
    ),
    Form.FULL: Sizes(
        photos_per_collection=5_000,
        selfies=300,
        quiet_rate=10.0,
        warm_seconds=10.0,
        step_seconds=15.0,
        attempts=2,
        resolution=0.03,
        hold_seconds=300.0,
        overload_seconds=30.0,
        analyze_seconds=60.0,
        searches_analyze=True,
    ),
}
