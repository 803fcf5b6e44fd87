"""The levers, as settings of an inference server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.kit.processes import Setting

Settings = Mapping[str, Setting]


@dataclass(frozen=True, slots=True)
class Lever:
    """Two ways to run the same server. What is not named is as by default."""

    name: str
    before: Settings = field(default_factory=dict)
    after: Settings = field(default_factory=dict)
    is_over_tcp_before: bool = False
    """The client comes over loopback before, over the Unix socket after; else always over the
    socket."""


def levers() -> list[Lever]:
    """All of them, for the cores of this machine."""
    cores = len(os.sched_getaffinity(0))
    return [
        Lever(
            "OpenVINO instead of onnxruntime",
            {"INFERENCE_RUNTIME": "onnxruntime"},
            {"INFERENCE_RUNTIME": "openvino"},
        ),
        Lever(
            "bf16 instead of f32",
            {"INFERENCE_RUNTIME": "openvino", "INFERENCE_PRECISION": "f32"},
            {"INFERENCE_RUNTIME": "openvino", "INFERENCE_PRECISION": "bf16"},
        ),
        Lever(
            "decode at a reduced scale",
            {"INFERENCE_REDUCED_DECODE": "false"},
            {"INFERENCE_REDUCED_DECODE": "true"},
        ),
        Lever("a look at 160² first", {"INFERENCE_LOOK_SIZES": "320,640"}),
        Lever("small looks before large ones", {"INFERENCE_LOOK_SIZES": "640,320,160"}),
        Lever(
            "a session for each core instead of one over all",
            {"INFERENCE_SESSIONS": 1, "INFERENCE_THREADS": cores},
            {"INFERENCE_SESSIONS": cores, "INFERENCE_THREADS": 1},
        ),
        Lever(
            "twice as many sessions as cores",
            {"INFERENCE_SESSIONS": cores},
            {"INFERENCE_SESSIONS": 2 * cores},
        ),
        Lever(
            "decoding on every core instead of one",
            {"INFERENCE_MAX_BATCH": 1, "INFERENCE_PIXEL_THREADS": 1},
            {"INFERENCE_MAX_BATCH": 1, "INFERENCE_PIXEL_THREADS": cores},
        ),
        Lever("a thread for each photo instead of a queue a stage", {"INFERENCE_MAX_BATCH": 1}),
        Lever("batches of up to 8", {"INFERENCE_MAX_BATCH": 1}, {"INFERENCE_MAX_BATCH": 8}),
        Lever(
            "waiting 5 ms for a fuller batch",
            {"INFERENCE_MAX_BATCH": 8},
            {"INFERENCE_MAX_BATCH": 8, "INFERENCE_MAX_QUEUE_DELAY_SECONDS": 0.005},
        ),
        Lever("a Unix socket instead of loopback", is_over_tcp_before=True),
    ]


def written(settings: Settings) -> str:
    """As in an environment, without the prefix that all share."""
    named = [f"{name.removeprefix('INFERENCE_')}={value}" for name, value in settings.items()]
    return " ".join(named) or "default"
