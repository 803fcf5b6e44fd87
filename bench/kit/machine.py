"""The machine, the versions and the commit that a figure belongs to."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.kit.result import JSON

_FLAGS = (
    "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16",
    "amx_int8",
)  # fmt: skip
"""Those that decide which kernels a runtime takes."""
_PACKAGES = (
    "onnxruntime", "onnxruntime-gpu", "openvino", "grpcio", "numpy", "opencv-python-headless",
    "simplejpeg", "pillow", "insightface", "fastapi", "uvicorn", "uvloop", "pymilvus",
    "milvus-lite",
)  # fmt: skip

_SETTINGS = ("INFERENCE_", "EDGE_", "OMP_", "OPENBLAS_", "MALLOC_")
"""Variables that change what is measured; none holds a secret."""


def machine(checkout: Path) -> dict[str, JSON]:
    """What a reader must know to compare figures. To be called before the measurement: the load is
    what others did to the machine.

    checkout: the source tree that is measured.
    """
    model, flags = _cpu()
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "flags": [flag for flag in _FLAGS if flag in flags],
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
        "commit": _commit(checkout),
        "settings": {
            name: value for name, value in sorted(os.environ.items()) if name.startswith(_SETTINGS)
        },
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


def _cpu() -> tuple[str, frozenset[str]]:
    fields: dict[str, str] = {}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text("utf-8").splitlines():
            name, _, value = line.partition(":")
            fields.setdefault(name.strip(), value.strip())
    name = fields.get("model name") or platform.processor() or platform.machine()
    if "cpu family" in fields:  # virtual machines give several generations one name
        name += f", family {fields['cpu family']}"
    return name, frozenset(fields.get("flags", "").split())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit(checkout: Path) -> str | None:
    """The commit, with a mark if files differ from it; None: no repository, or no git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=checkout,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()
