"""Where TensorRT keeps the engines that it builds."""

from __future__ import annotations

import ctypes
import hashlib
from dataclasses import replace
from pathlib import Path

import onnxruntime

from inference.errors import DeviceError
from inference.sessions.gpu import GpuOptions


def engine_dir(cache: Path, network: str, gpu: GpuOptions) -> Path:
    """The folder for TensorRT's engines of exactly this; it is made if it is not there.

    onnxruntime takes what it finds there, though the network or a version may have changed since.
    The kind of GPU is in the names of the files. network: SHA-256 of its file.

    Raises DeviceError if the folder cannot be made.
    """
    about = (
        network,
        onnxruntime.__version__,
        _tensorrt_version(),
        replace(gpu, engine_dir=None),
    )
    folder = cache / "tensorrt" / hashlib.sha256(repr(about).encode()).hexdigest()[:16]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DeviceError(
            f"TensorRT's engines cannot be kept in {folder} ({error.strerror}); "
            "set INFERENCE_CACHE_DIR to a folder, or to none"
        ) from error
    return folder


def _tensorrt_version() -> int:
    """Such as 101302; 0 where its library is not found, which a session says more clearly."""
    try:
        return int(ctypes.CDLL("libnvinfer.so.10").getInferLibVersion())
    except OSError:
        return 0
