"""The processor that a time belongs to."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path

from inference.sessions.cpu import CPUINFO, read_cpu

TELLING = ("amx_bf16", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")
"""Instructions that decide which kernels a runtime takes, fastest first."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a reader must know to compare times."""

    cpu: str
    cores: int
    instructions: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def read_machine(cpuinfo: Path = CPUINFO) -> Machine:
    """This machine; by its architecture where nothing tells more, such as on macOS."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    flags = read_cpu(cpuinfo).flags
    return Machine(
        cpu=next(names, platform.machine()),
        cores=os.cpu_count() or 1,
        instructions=tuple(one for one in TELLING if one in flags),
    )
