"""Pods and cost for 100, 1,000 and 10,000 searches a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.capacity.cluster import PodCores
from bench.capacity.model.gpu import Gpu
from bench.capacity.packs import BUFFALO_L, COUNTED, MBF128, on_cpu, on_gpu
from bench.capacity.prices import Bill, Prices, bill
from bench.capacity.profile import Profile
from bench.capacity.staffing import Staff, smallest
from bench.kit.result import Cell, Table

RATES = (100, 1_000, 10_000)
_BUSY = 0.7
"""Share of its cores that a pod may use: the autoscaler's target in deploy/k8s."""
_GPU_CORES = 4
"""vCPUs of a pod with a GPU: it decodes, scales and aligns there."""
_SLOWER = 3.0
"""A10G to the published RTX 5090, by tensor throughput in float16: assumed."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One rate on one kind of pod."""

    pack: str
    device: str
    staff: Staff
    bill: Bill


@dataclass(frozen=True, slots=True)
class _Kind:
    """A pack on a device."""

    profile: Profile
    gpu: Gpu | None
    cores: int

    @property
    def device(self) -> str:
        return "CPU" if self.gpu is None else "GPU"


def rows(profiles: Sequence[Profile], say: Say) -> list[Row]:
    """profiles: measured ones; that of mbf128 is scaled to buffalo_l where it is among them."""
    found = []
    for kind in _kinds(profiles):
        for rate in RATES:
            say(f"{kind.profile.pack}, {kind.device}: {rate:,}/s")
            cores = PodCores(inference=kind.cores)
            staff = smallest(kind.profile, rate, kind.gpu, cores)
            ordered = bill(
                kind.profile, staff, server_cores=kind.cores, has_gpu=kind.gpu is not None,
                busy=_BUSY,
            )  # fmt: skip
            found.append(Row(kind.profile.pack, kind.device, staff, ordered))
    return found


def table(found: Sequence[Row], prices: Prices) -> Table:
    """For the page."""
    cells: list[list[Cell]] = []
    for row in found:
        latencies = row.staff.offered.observed.latencies()
        cells.append(
            [
                row.pack,
                row.device,
                f"{row.staff.rate:,.0f}",
                row.staff.servers,
                f"{latencies.p50 * 1000:.0f} / {latencies.p99 * 1000:.0f}",
                f"{row.bill.edges:,} + {row.bill.servers:,}",
                row.bill.vcpus,
                row.bill.gpus or "–",
                f"{row.bill.memory_gib:,.0f}",
                f"{row.bill.a_month(prices):,.0f}",
            ]
        )
    return Table(
        "Pods for so many searches a second",
        ["pack", "on", "searches/s", "inference pods at least", "p50 / p99 with these, ms",
         "to order: edges + inference", "vCPUs", "GPUs", "GiB", "a month"],
        cells,
    )  # fmt: skip


def _kinds(profiles: Sequence[Profile]) -> list[_Kind]:
    kinds = []
    for profile in profiles:
        kinds.append(_Kind(profile, None, 1))
        if profile.pack in COUNTED:
            gpu = on_gpu(COUNTED[profile.pack], _SLOWER)
            kinds.append(_Kind(profile, gpu, _GPU_CORES))
        if profile.pack != "mbf128":
            continue
        large = on_cpu(profile, MBF128, "buffalo_l", BUFFALO_L)
        kinds.append(_Kind(large, None, 1))
        kinds.append(_Kind(large, on_gpu(BUFFALO_L, _SLOWER), _GPU_CORES))
    return kinds
