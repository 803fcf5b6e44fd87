"""How many inference servers `facesearch up` starts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from cli.errors import UsageError

MOST = 8
"""Of "auto". Each takes some 280 MB, which is not to be a surprise on a machine of many cores."""
_ONE_SERVER = (
    "INFERENCE_SESSIONS",
    "INFERENCE_MAX_BATCH",
    "INFERENCE_BUCKETS",
    "INFERENCE_METRICS_PORT",
)
"""Who sets one of these has one server in mind."""
_CGROUP_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")

Asked = int | Literal["auto"]


def parse_count(text: str) -> Asked:
    """What a command line says. Raises UsageError."""
    if text == "auto":
        return "auto"
    if text.isascii() and text.isdigit() and int(text) >= 1:
        return int(text)
    raise UsageError(
        f"--inference-workers {text}: neither a number from 1 on nor auto", "say auto, or how many"
    )


def inference_worker_count(
    asked: Asked, environment: Mapping[str, str], *, has_port: bool, cores: int
) -> int:
    """As asked; for "auto" one a core, where nothing says that one server is meant.

    environment: of the servers. has_port: gRPC callers reach them on a port, which one of them
    listens on. Raises UsageError where only one can work.
    """
    metrics_port = environment.get("INFERENCE_METRICS_PORT") or "0"
    if asked == "auto":
        is_gpu = (environment.get("INFERENCE_DEVICE") or "cpu") != "cpu"
        is_set_up = any(environment.get(name) not in (None, "", "0") for name in _ONE_SERVER)
        return 1 if is_gpu or is_set_up or has_port else max(1, min(MOST, cores))
    if asked > 1 and has_port:
        raise UsageError(
            f"--inference-workers {asked}: callers on --inference-port would reach one of them",
            "leave one of the two out",
        )
    if asked > 1 and metrics_port != "0":
        raise UsageError(
            f"--inference-workers {asked}: one of them could listen on INFERENCE_METRICS_PORT",
            "leave one of the two out; /metrics of the edge tells how long inference takes",
        )
    return asked


def usable_cores(cpu_max: Path = _CGROUP_CPU_MAX) -> int:
    """Cores that this process may use: by its affinity, and by its container's share of time.

    cpu_max: of its control group, "QUOTA PERIOD" or "max PERIOD" (cgroups version 2).
    """
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = cpu_max.read_text("ascii").split()
        return cores if quota == "max" else max(1, min(cores, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return cores  # another version, or no control groups
