from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from inference.errors import DeviceError
from inference.sessions.engines import engine_dir
from inference.sessions.gpu import GpuOptions, GpuProvider

NETWORK = "ab" * 32


def test_engines_are_kept_apart_by_all_that_they_depend_on(tmp_path: Path) -> None:
    gpu = GpuOptions(provider=GpuProvider.TENSORRT, batches=(1, 8), sides=(96, 640))
    others = [
        ("cd" * 32, gpu),
        (NETWORK, replace(gpu, is_half=True)),
        (NETWORK, replace(gpu, batches=(1, 16))),
        (NETWORK, replace(gpu, sides=(96, 320))),
    ]

    folder = engine_dir(tmp_path, NETWORK, gpu)

    assert folder.is_dir()
    assert engine_dir(tmp_path, NETWORK, gpu) == folder
    assert len({folder, *(engine_dir(tmp_path, *other) for other in others)}) == 1 + len(others)


def test_a_cache_that_is_a_file_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "cache"
    file.write_text("")

    with pytest.raises(DeviceError, match="INFERENCE_CACHE_DIR"):
        engine_dir(file, NETWORK, GpuOptions())
