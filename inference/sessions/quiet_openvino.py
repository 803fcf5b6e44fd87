"""Imports OpenVINO so that nobody hears of it, and threads can use it."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np

CONVERTER = "openvino.tools.ovc"
"""openvino imports it if it can, and on being imported it reports that to Intel through Google
Analytics, unless somebody opted out."""


def import_openvino() -> Any:  # noqa: ANN401 - openvino has no types
    """The package without its converter of models, which also halves the time it takes.

    Who needs the converter can import it afterwards. Call it at the top of a module: that way one
    thread does, and the others wait. Raises ImportError.
    """
    is_ours_to_bar = CONVERTER not in sys.modules
    if is_ours_to_bar:
        # How Python marks what is not to be imported.
        sys.modules[CONVERTER] = None  # type: ignore[assignment]
    try:
        openvino = importlib.import_module("openvino")
    finally:
        if is_ours_to_bar:
            del sys.modules[CONVERTER]
    _run_once(openvino)
    return openvino


def _run_once(openvino: Any) -> None:  # noqa: ANN401 - openvino has no types
    """Run the smallest of networks.

    At the first run the Python binding fills its tables of types, and hands the GIL over meanwhile:
    threads that come to their first runs together wait for each other for ever (OpenVINO 2026.4.1,
    2 of 25 processes with six threads; none after this).
    """
    operators = importlib.import_module("openvino.opset13")
    value = operators.parameter([1], np.float32)
    network = openvino.Model([operators.relu(value)], [value])
    compiled = openvino.Core().compile_model(
        network, "CPU", {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
    )
    compiled.create_infer_request().infer([np.ones(1, dtype=np.float32)], share_inputs=True)
