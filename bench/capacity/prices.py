"""What pods cost, by prices that the reader gives."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.capacity.profile import Profile
from bench.capacity.staffing import Staff

HOURS_A_MONTH = 730
_GIB = 2**30
_SPARE_MEMORY = 1.5
"""Memory to ask for, over what was resident under load."""
_SPARE_EDGES = 1


@dataclass(frozen=True, slots=True)
class Prices:
    """Of an hour, in any currency."""

    vcpu: float = 0.0425
    """c5.2xlarge at 0.34 for 8 in AWS' own example of on-demand prices (Auto Scaling user guide,
    "Spot price per unit hour example"). Memory is included."""
    gpu: float = 0.84
    """g5.xlarge (A10G) at 1.006 in us-east-1, June 2026, less its 4 vCPUs at the price above
    (factualminds.com, "Amazon EC2 On-Demand Pricing")."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What to order for a rate, with pods to spare."""

    edges: int
    servers: int
    vcpus: int
    gpus: int
    memory_gib: float

    def a_month(self, prices: Prices) -> float:
        """For running all of it all the time."""
        return HOURS_A_MONTH * (self.vcpus * prices.vcpu + self.gpus * prices.gpu)


def bill(profile: Profile, staff: Staff, *, server_cores: int, has_gpu: bool, busy: float) -> Bill:
    """Pods so that no core of inference is busier than `busy` (0 to 1), and one of each kind may
    go."""
    used = staff.rate * (profile.photo_seconds + profile.loop.seconds)
    free = busy * server_cores - profile.background.inference
    by_load = math.ceil(used / free) if not has_gpu else staff.servers
    servers = max(by_load, staff.servers + 1)
    edges = staff.edges + _SPARE_EDGES
    memory = edges * profile.resident.edge + servers * profile.resident.inference
    return Bill(
        edges=edges,
        servers=servers,
        vcpus=edges + servers * server_cores,
        gpus=servers if has_gpu else 0,
        memory_gib=memory * _SPARE_MEMORY / _GIB,
    )
