"""``python -m training.evaluate.speed PACK REFERENCE``: milliseconds of a pack beside another's.

One thread, on the runtime the server would take (INFERENCE_RUNTIME, INFERENCE_PRECISION). Both take
turns, many times in one process, and the ratio of the medians is what counts: a time stands beside
its machine only. Sizes and parameters of the networks go into the JSON with them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from inference.models.pack import Pack, load_pack
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import CROP_SIZE, Photo
from inference.pipeline.letterbox import letterbox
from inference.runtimes import PackSessions, open_sessions
from inference.settings import Settings, load_settings
from training.evaluate.machine import read_machine
from training.evaluate.size import NetworkSize, network_size

SIZES = (160, 320, 640)
WARM_UP = 3


@dataclass(frozen=True, slots=True)
class TimedNetwork:
    """What is timed: a network, and what runs it."""

    size: NetworkSize
    runtime: str
    """Such as "openvino 2026.4.1 bf16"."""

    def as_json(self) -> dict[str, object]:
        return {**asdict(self.size), "runtime": self.runtime}


@dataclass(frozen=True, slots=True)
class Side:
    """The calls of one pack, by what they do."""

    name: str
    pack: Pack
    detector: TimedNetwork
    recogniser: TimedNetwork
    calls: dict[str, Callable[[], object]]

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.pack.id,
            "version": self.pack.version,
            "dim": self.pack.dim,
            "detector": self.detector.as_json(),
            "recogniser": self.recogniser.as_json(),
        }


def open_side(folder: Path, settings: Settings) -> Side:
    """Sessions of a pack and a call for each thing that is timed. Raises PackError, StartError."""
    pack = load_pack(folder)
    sessions = open_sessions(pack, settings)
    detector = Detector.load(pack.detector_graph, sessions.detector, may_batch=False)
    recogniser = Recogniser.load(pack.recogniser_graph, sessions.recogniser, may_batch=False)
    rng = np.random.default_rng(1)
    crop = rng.integers(0, 256, (CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
    calls: dict[str, Callable[[], object]] = {"embed one face": partial(recogniser.embed, [crop])}
    for size in SIZES:
        pixels = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
        look = letterbox(Photo(pixels, width=size, height=size), size)
        calls[f"detect at {size}²"] = partial(detector.detect, [look])
    return Side(folder.name, pack, *_networks(pack, sessions), calls)


def _networks(pack: Pack, sessions: PackSessions) -> tuple[TimedNetwork, TimedNetwork]:
    return (
        TimedNetwork(network_size(pack.detector), sessions.detector().runtime),
        TimedNetwork(network_size(pack.recogniser), sessions.recogniser().runtime),
    )


def medians(sides: Sequence[Side], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each call, for each side, both taking turns."""
    taken: dict[str, list[list[float]]] = {call: [[] for _ in sides] for call in sides[0].calls}
    for number in range(rounds + WARM_UP):
        for call, times in taken.items():
            for side, own in zip(sides, times, strict=True):
                started = time.perf_counter()
                side.calls[call]()
                if number >= WARM_UP:
                    own.append(1e3 * (time.perf_counter() - started))
    return {call: [float(np.median(own)) for own in times] for call, times in taken.items()}


def as_json(
    sides: Sequence[Side], times: Mapping[str, Sequence[float]], rounds: int
) -> dict[str, object]:
    """What the model card is filled from."""
    return {
        "machine": read_machine().as_json(),
        "threads": 1,
        "rounds": rounds,
        "packs": {side.name: side.as_json() for side in sides},
        "milliseconds": {
            call: {side.name: taken for side, taken in zip(sides, own, strict=True)}
            for call, own in times.items()
        },
    }


def main() -> None:
    """Time the packs named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate.speed", description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--output", type=Path, help="JSON file")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    settings = load_settings().model_copy(update={"threads": 1})
    sides = [open_side(folder, settings) for folder in (asked.pack, asked.reference)]
    table = Table(title=f"milliseconds, one thread, medians of {asked.rounds}")
    for column in ("", *(side.name for side in sides), "ratio"):
        table.add_column(column, justify="right")
    times = medians(sides, asked.rounds)
    for call, (own, its) in times.items():
        table.add_row(call, f"{own:.2f}", f"{its:.2f}", f"{own / its:.2f}")
    Console().print(table)
    if asked.output is not None:
        told = as_json(sides, times, asked.rounds)
        asked.output.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
