"""The command line of the acceptance, and what it comes to."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.acceptance.deployed import Elsewhere, default_pack
from bench.acceptance.load import Load
from bench.acceptance.stores import Records, Vectors
from bench.kit.world import ROOT

REPORT = "acceptance-report.md"
SHORT_REPORT = "acceptance-report-short.md"
"""Another one: a rehearsal must not take the place of the report that counts."""
_KEY = "FACESEARCH_API_KEY"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done."""

    photos: int
    """In both collections together."""
    selfies: int
    load: Load


FULL = Size(photos=10_000, selfies=300, load=Load(rate=100.0, seconds=300.0))
"""As the specification asks."""
SHORT = Size(photos=200, selfies=30, load=Load(rate=10.0, seconds=15.0))
"""A rehearsal: some two minutes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be done."""

    size: Size
    seed: int
    photos_dir: Path | None
    """None: the test data."""
    report: Path
    service: Path | Elsewhere
    """The pack of one that is started, or one that runs."""
    records: Records
    vectors: Vectors
    is_kept: bool
    """Leave the collections in a base that is not ours."""
    words: tuple[str, ...]
    """Of the command line, as they were given; without the key."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser("python -m bench.acceptance", description=__doc__)
    made.add_argument("--short", action="store_true", help="200 photos, 10 searches/s, 15 s")
    made.add_argument("--photos", type=_positive, help="in two collections together [10000]")
    made.add_argument("--rate", type=float, help="searches a second [100]")
    made.add_argument("--minutes", type=float, help="of load for each top_k [5]")
    made.add_argument("--p95-ms", type=float, help="fail if the 95th percentile is longer")
    made.add_argument("--p99-ms", type=float, help="fail if the 99th percentile is longer")
    made.add_argument("--pack", type=Path, help="folder of a pack [the one of facesearch]")
    made.add_argument("--photos-dir", type=Path, help="make them of this folder [test data]")
    made.add_argument("--seed", type=int, default=0, help="of the generated photos [0]")
    made.add_argument(
        "--records",
        type=Records,
        choices=tuple(Records),
        default=Records.AUTO,
        help="auto: PostgreSQL where it is installed; sqlite [auto]",
    )
    made.add_argument(
        "--vectors",
        type=Vectors,
        choices=tuple(Vectors),
        default=Vectors.LITE,
        help="lite: in the edge; server: a Milvus server [lite]",
    )
    made.add_argument("--url", help="a service that runs; its key in FACESEARCH_API_KEY")
    made.add_argument("--keep", action="store_true", help="with --url: leave the collections")
    made.add_argument("--report", type=Path, help=f"[{REPORT}; with --short {SHORT_REPORT}]")
    return made


def asked_of(words: Sequence[str]) -> Asked:
    """What a command line asks for. Ends the process where it asks for what cannot be."""
    made = parser()
    given = made.parse_args(words)
    if given.photos_dir is not None and not given.photos_dir.is_dir():
        made.error(f"{given.photos_dir} is no folder")
    base = SHORT if given.short else FULL
    load = Load(
        rate=given.rate or base.load.rate,
        seconds=60 * given.minutes if given.minutes else base.load.seconds,
        p95_ms=given.p95_ms,
        p99_ms=given.p99_ms,
    )
    return Asked(
        size=Size(given.photos or base.photos, base.selfies, load),
        seed=given.seed,
        photos_dir=given.photos_dir,
        report=given.report or ROOT / (SHORT_REPORT if given.short else REPORT),
        service=_service(made, given.url, given.pack),
        records=given.records,
        vectors=given.vectors,
        is_kept=given.keep,
        words=tuple(words),
    )


def _service(made: argparse.ArgumentParser, url: str | None, pack: Path | None) -> Path | Elsewhere:
    if url is not None:
        key = os.environ.get(_KEY)
        if not key:
            made.error(f"the service at {url} needs a key with every scope: export {_KEY}=...")
        return Elsewhere(url.rstrip("/"), key)
    folder = pack or default_pack()
    if folder is None or not folder.is_dir():
        made.error(f"{folder or 'a pack'} is not there: name the folder of one with --pack")
    return folder.resolve()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
