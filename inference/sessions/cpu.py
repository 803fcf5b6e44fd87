"""What the CPU says of itself."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})
IDENTITY = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags")
"""Lines that tell one kind of CPU from another. The name alone does not: virtual machines say no
more than "AMD EPYC"."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """One kind of CPU."""

    identity: str
    """Differs where what was compiled for one may not suit the other; empty: unknown."""
    flags: frozenset[str]
    """Instruction sets, as Linux names them."""

    @property
    def has_bf16(self) -> bool:
        """Whether it multiplies in bfloat16, and not only stores it."""
        return not self.flags.isdisjoint(BF16_FLAGS)


def parse_cpu(cpuinfo: str) -> Cpu:
    """The first CPU of a /proc/cpuinfo; all of a machine are of one kind where servers run."""
    first = cpuinfo.strip().split("\n\n")[0]
    lines = (line.partition(":") for line in first.splitlines())
    fields = {name.strip(): value.strip() for name, _, value in lines}
    told = [f"{name}={fields[name]}" for name in IDENTITY if name in fields]
    return Cpu(
        identity=hashlib.sha256("\n".join(told).encode()).hexdigest() if told else "",
        flags=frozenset(fields.get("flags", "").split()),
    )


def read_cpu(file: Path = CPUINFO) -> Cpu:
    """The CPU of this machine; one without flags where nothing tells, such as on macOS."""
    try:
        return parse_cpu(file.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return Cpu("", frozenset())
