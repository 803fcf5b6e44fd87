"""How much each form measures."""

from __future__ import annotations

from dataclasses import dataclass

from bench.kit.result import Form


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of one form."""

    idle_seconds: float
    """Without any request, for what processes take at rest."""
    quiet_rounds: int
    """How often every selfie is sent while nothing waits."""
    steady_seconds: float
    """For how the speed of the machine changes by itself."""
    busy_seconds: float
    """At about half of what the machine does, and at four fifths."""
    sharing_photos: int
    sharing_rounds: int
    check_seconds: float
    """Of each rate at which the prediction is checked."""
    check_rounds: int
    """How often each of them is measured: the median counts."""
    model_seconds: float
    """Of each rate that is predicted."""


SIZES = {
    Form.SHORT: Sizes(
        idle_seconds=4.0,
        quiet_rounds=1,
        steady_seconds=3.0,
        busy_seconds=6.0,
        sharing_photos=30,
        sharing_rounds=3,
        check_seconds=6.0,
        check_rounds=1,
        model_seconds=30.0,
    ),
    Form.FULL: Sizes(
        idle_seconds=20.0,
        quiet_rounds=2,
        steady_seconds=40.0,
        busy_seconds=30.0,
        sharing_photos=100,
        sharing_rounds=7,
        check_seconds=30.0,
        check_rounds=3,
        model_seconds=120.0,
    ),
}
