"""What a benchmark is run against, and the command line that all of them share."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from bench.kit.figures import Figure
from bench.kit.machine import machine
from bench.kit.result import Form, Result

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True, slots=True)
class World:
    """What is measured, and with what."""

    pack: Path
    """Folder of a model pack."""
    photos: Path | None = None
    """Folder with photos to make the sets of; None: the test data."""
    checkout: Path | None = None
    """Source tree to start the processes from; None: this one. For a before and after."""


Measure = Callable[[Form, World], Result]


def shared_data() -> Path:
    """The folder with test data: FACESEARCH_SHARED, else beside the checkout. May not exist."""
    return Path(os.environ.get("FACESEARCH_SHARED") or ROOT.parent / "shared").resolve()


def arguments(name: str, description: str) -> argparse.ArgumentParser:
    """The options of every benchmark; a benchmark may add its own."""
    parser = argparse.ArgumentParser(f"python -m bench.{name}", description=description)
    parser.add_argument("--full", action="store_true", help="the long form, for the targets")
    parser.add_argument(
        "--pack", type=Path, help="folder of a pack [the test data's, else the starter pack]"
    )
    parser.add_argument("--photos", type=Path, help="folder of photos [the test data's]")
    parser.add_argument("--checkout", type=Path, help="source tree to start from [this one]")
    parser.add_argument("--output", type=Path, help=f"[bench/results/{name}-<form>.json]")
    return parser


def world_of(asked: argparse.Namespace) -> World:
    """The world that the arguments describe. Ends the process if it is not there."""
    pack = asked.pack or os.environ.get("FACESEARCH_MODELS") or _default_pack()
    world = World(
        pack=Path(pack).resolve(),
        photos=asked.photos.resolve() if asked.photos else None,
        checkout=asked.checkout.resolve() if asked.checkout else None,
    )
    for folder, option in (
        (world.pack, "--pack"),
        (world.photos, "--photos"),
        (world.checkout, "--checkout"),
    ):
        if folder is not None and not folder.is_dir():
            sys.exit(f"{folder} is no folder: give another with {option}")
    return world


def _default_pack() -> Path:
    mbf128 = shared_data() / "models" / "mbf128"
    return mbf128 if mbf128.is_dir() else ROOT / "inference" / "models" / "packs" / "starter"


def main(name: str, description: str, measure: Measure) -> None:
    """Parse, measure, print the figures, write `{"machine": …, "result": …}` as JSON."""
    run(name, arguments(name, description).parse_args(), measure)


def run(name: str, asked: argparse.Namespace, measure: Measure) -> None:
    """What `main` does, for a benchmark with options of its own.

    asked: parsed by `arguments` with whatever was added to them.
    """
    form = Form.FULL if asked.full else Form.SHORT
    world = world_of(asked)
    before = machine(world.checkout or ROOT)
    end_on_sigterm()
    result = timed(measure, form, world)
    for figure in result.figures:
        print(line_of(figure))
    place = asked.output or RESULTS / f"{name}-{form}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    report = {"machine": before, "result": result.to_json()}
    place.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(f"{result.seconds:.0f} s; written to {place}")


def timed(measure: Measure, form: Form, world: World) -> Result:
    """The result, with how long it took."""
    started = time.perf_counter()
    return replace(measure(form, world), seconds=round(time.perf_counter() - started, 1))


def line_of(figure: Figure) -> str:
    """A figure for a terminal."""
    said = f"{figure.id:4} {figure.name}: {figure.value:.4g} {figure.unit}"
    if figure.target is None:
        return said
    sign = "≥" if figure.better == "higher" else "≤"
    verdict = "meets" if figure.passes else "MISSES"
    return f"{said} ({verdict} {sign} {figure.target:g})"


def end_on_sigterm() -> None:
    """Leave on SIGTERM as on Ctrl-C: through every `finally`, which ends the processes."""

    def leave(number: int, _: object) -> NoReturn:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
