"""How far a measured share can be relied on. Pure."""

from __future__ import annotations

import math

_Z_95 = 1.96


def wilson(share: float, trials: int) -> tuple[float, float]:
    """The 95 % interval of a share seen in so many independent trials (Wilson 1927)."""
    z2 = _Z_95**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = math.sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    half = _Z_95 / (1 + z2 / trials) * spread
    return middle - half, middle + half
