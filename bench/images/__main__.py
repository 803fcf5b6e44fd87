"""`sudo python -m bench.images`: build the images and run them, without a container engine.

Every line of the Dockerfiles is carried out in roots that debootstrap and chroot make; the services
are started as their image says, hardened as compose.yaml does it, and searched. docs/docker.md says
what that proves and what not. Exit code 1: something is not as it must be.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.images.build import Builder, BuildFailed, copy_tree
from bench.images.checks import Check, image_checks
from bench.images.container import ContainerFailed
from bench.images.debian import NoBase, apt_settings, debian_root, sources_of, suite_of
from bench.images.dockerfile import Dockerfile, NotUnderstood, parse
from bench.images.image import Image, NoNumbers
from bench.images.network import leave_the_network
from bench.images.rehearsal import Stage, refusal, rehearse
from bench.images.run import Runner
from bench.images.search import SearchFailed, cases_of
from bench.kit.picture_source import NoPictures, picture_source
from bench.kit.world import ROOT, end_on_sigterm

DOCKERFILES = ROOT / "deploy" / "docker"
DATA = {"edge": "/data"}
"""Folders that images let their user write to."""
_CASES = 20
_FAILURES = (
    *(BuildFailed, ContainerFailed, NoBase, NoNumbers, NoPictures, NotUnderstood, SearchFailed),
    OSError,
)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser("python -m bench.images", description=__doc__.split("\n")[0])
    made.add_argument(
        "--work",
        type=Path,
        default=Path("/var/cache/facesearch-images"),
        help="folder for the roots, some GB; a base root in it is used again [%(default)s]",
    )
    made.add_argument("--mirror", help="Debian mirror [the apt sources of this machine]")
    made.add_argument(
        "--bind",
        type=Path,
        action="append",
        default=[],
        help="a path that pip needs on this machine, such as of a local index; repeatable",
    )
    made.add_argument("--gpu", action="store_true", help="build the GPU image, too: GBs of wheels")
    made.add_argument("--build-only", action="store_true", help="start nothing")
    made.add_argument("--photos", type=Path, help="folder of photos [the test data's]")
    made.add_argument("--pack", type=Path, help="folder of a pack [the one of the image]")
    made.add_argument("--report", type=Path, help="write the checks as a Markdown table, too")
    return made


def main() -> int:
    """Build, check, run, check; 1 if a check failed or could not be made."""
    asked = parser().parse_args()
    if os.geteuid() != 0:
        print("chroot and mounts are root's: run it with sudo", file=sys.stderr)
        return 1
    done: list[tuple[str, Check]] = []
    try:
        for image, check in _checks(asked):
            print(f"{'ok' if check.is_true else 'FAILED':6} {image}: {check.claim}: {check.found}")
            sys.stdout.flush()
            done.append((image, check))
    except _FAILURES as error:
        print(f"FAILED {error}", file=sys.stderr)
        return 1
    if asked.report is not None:
        asked.report.write_text(_table(done), "utf-8")
    return 0 if all(check.is_true for _, check in done) else 1


def _checks(asked: argparse.Namespace) -> Iterator[tuple[str, Check]]:
    work: Path = asked.work.resolve()
    logs = work / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    cases = [] if asked.build_only else cases_of(picture_source(asked.photos), _CASES)
    images: dict[str, Image] = {}
    for name in ("inference", "edge", *(["inference-gpu"] if asked.gpu else [])):
        dockerfile = parse((DOCKERFILES / f"{name}.Dockerfile").read_text("utf-8"))
        images[name] = _build(name, dockerfile, work, asked)
        base = _base(work, dockerfile.stages[0].base)
        for check in image_checks(images[name], base, DATA.get(name)):
            yield name, check
    if asked.build_only:
        return
    leave_the_network()
    with tempfile.TemporaryDirectory(prefix="facesearch-data-") as data:
        pack = asked.pack.resolve() if asked.pack else None
        yield from rehearse(
            Stage(images["edge"], images["inference"], Path(data), pack, cases, logs)
        )
    if asked.gpu:
        yield "inference-gpu", refusal(images["inference-gpu"], logs)


def _build(name: str, dockerfile: Dockerfile, work: Path, asked: argparse.Namespace) -> Image:
    def make_root(reference: str, target: Path) -> None:
        base = _base(work, reference)
        if not base.exists():
            suite = suite_of(reference)
            print(f"debootstrap {suite}", flush=True)
            debian_root(suite, base, sources_of(suite, asked.mirror))
        copy_tree(base, target)

    print(f"build {name}", flush=True)
    settings = work / "apt.conf"
    settings.write_text(apt_settings(), "utf-8")
    log = work / "logs" / f"{name}-build.log"
    run = Runner(settings, [path.resolve() for path in asked.bind], log)
    return Builder(ROOT, work, make_root, run).build(name, dockerfile)


def _base(work: Path, reference: str) -> Path:
    return work / f"base-{suite_of(reference)}"


def _table(done: list[tuple[str, Check]]) -> str:
    lines = ["| image | what | found |", "|---|---|---|"]
    for image, check in done:
        verdict = check.found if check.is_true else f"**not so**: {check.found}"
        lines.append(f"| {image} | {check.claim} | {verdict.replace('|', '/')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
