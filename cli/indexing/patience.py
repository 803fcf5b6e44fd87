"""How long to go on with what is busy or away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on when the service, or the place of the photos, is busy or away."""

    give_up_after_seconds: float = 60.0
    """Without any progress on any photo."""
    first_delay_seconds: float = 0.25
    longest_delay_seconds: float = 8.0

    def delay(self, attempt: int, asked_seconds: float | None, chance: float) -> float:
        """Seconds until attempt number `attempt` + 1: what was asked for, and a doubling share.

        chance: 0 to 1, anew each time, so that waiting workers do not come back together.
        """
        share = min(self.first_delay_seconds * 2.0**attempt, self.longest_delay_seconds)
        return min(asked_seconds or 0.0, self.longest_delay_seconds) + share * (0.5 + chance)
