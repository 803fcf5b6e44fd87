"""Rolling updates, crashes, hangs and restarts under a constant load: who notices what.

    python -m bench.rollout [--full] [--only SCENARIO] [--rate N] [--faces N] [--from DIR]

PostgreSQL, a Milvus server, two inference servers and two edges behind HAProxy, with the probes,
delays and grace periods of Kubernetes. Searches and enrolments arrive at a constant rate while
processes are replaced, killed and frozen. Every attempt of every request is kept, and what failed
is held against what is promised for each scenario.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.kit.photos import selfie_pictures
from bench.kit.picture_source import picture_source
from bench.kit.processes import API_KEY, Service
from bench.kit.result import JSON, Form, Result
from bench.kit.world import ROOT, World, arguments, run
from bench.load.plan import keep_selfies
from bench.load.probes import probes_of
from bench.rollout import findings, timeline
from bench.rollout.audit import audit
from bench.rollout.cluster import FIRST_PODS, Cluster, cluster
from bench.rollout.conduct import conduct
from bench.rollout.filling import fill
from bench.rollout.plan import Plan
from bench.rollout.pods import Role
from bench.rollout.rehearsals import Lengths, Rehearsal
from bench.rollout.requests import Requests
from bench.rollout.scenarios import Scenario
from bench.rollout.verdict import judged

NAME = "rollout"
_STARTER = ROOT / "inference" / "models" / "packs" / "starter"
_HELD = 6
"""Requests that are half sent while a node drains."""
_HELD_MARKS = 2 * 10**8
_HELD_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done."""

    photos: int
    """In the base that is searched."""
    selfies: int
    rate: float
    scenarios: tuple[Scenario, ...]
    lengths: Lengths
    first_seconds: float
    """Of the load, before the first scenario."""
    enrol_every: int = 80


_SIZES = {
    Form.SHORT: Size(
        photos=120,
        selfies=40,
        rate=15.0,
        scenarios=(Scenario.EDGE_UPDATE, Scenario.INFERENCE_CRASH),
        lengths=Lengths(hang=10.0, gone=10.0, quiet=3.0),
        first_seconds=3.0,
    ),
    Form.FULL: Size(
        photos=2_000,
        selfies=200,
        rate=40.0,
        scenarios=tuple(Scenario),
        lengths=Lengths(hang=30.0, gone=60.0, quiet=10.0),
        first_seconds=20.0,
    ),
}


@dataclass(frozen=True, slots=True)
class Rollout:
    """What was asked for; None: by the form."""

    only: Sequence[Scenario] | None
    rate: float | None
    photos: int | None
    old: Path | None
    """Source tree that the first pods are started from; None: the same as the others."""

    def measure(self, form: Form, world: World) -> Result:
        """All of it. Raises StartFailed, GeneratorFailed, NoPictures, NoSelfies, CheckFailed."""
        size = _SIZES[form]
        size = replace(
            size,
            scenarios=tuple(self.only or size.scenarios),
            rate=self.rate or size.rate,
            photos=self.photos or size.photos,
        )
        old = world if self.old is None else replace(world, checkout=self.old)
        with tempfile.TemporaryDirectory(prefix="bench-") as name, cluster(old, world) as made:
            found = _rehearse(made, size, world, Path(name))
        conducted = found.conducted
        details: dict[str, JSON] = {
            "pack": world.pack.name,
            "selfies": conducted.selfies,
            "photos in the base": size.photos,
            "first pods from": None if self.old is None else self.old.name,
        }
        return Result(
            NAME,
            form,
            findings.figures(found),
            findings.tables(found),
            timeline.plots(conducted.journal, conducted.begun, conducted.happened),
            details,
        )


def _rehearse(made: Cluster, size: Size, world: World, folder: Path) -> findings.Rehearsed:
    for role in (Role.INFERENCE, Role.EDGE):
        pods = [made.start(role) for _ in range(FIRST_PODS)]
        for pod in pods:
            made.until_ready(pod)
            made.admit(pod)
    source = picture_source(world.photos)
    pictures = selfie_pictures(source, size.selfies)
    inference = made.inferences[0]
    asked = Service(inference.name, 0, f"{inference.host}:{inference.port}")
    selfies = probes_of(asked, source, pictures, world.photos)
    keep_selfies(folder / "selfies", selfies)
    made.note(f"{size.photos} photos are put in")
    faces = fill(made.balancer.url, source, pictures, size.photos, API_KEY)
    index_files = made.milvus.index()
    plan = Plan(
        url=made.balancer.url,
        api_key=API_KEY,
        selfies=str(folder / "selfies"),
        journal=str(folder / "journal.json"),
        rate=size.rate,
        enrol_every=size.enrol_every,
    )
    requests = Requests(selfies, API_KEY, first_mark=_HELD_MARKS, timeout_seconds=_HELD_SECONDS)
    held = [requests.search(number, f"held-{number}") for number in range(_HELD)]
    rehearsal = Rehearsal(made, size.lengths, held)
    conducted = conduct(made, plan, rehearsal, size.scenarios, size.first_seconds)
    served_by = made.balancer.routed()
    return findings.Rehearsed(
        conducted=conducted,
        judged=[
            judged(conducted.journal, one, served_by, conducted.begun) for one in conducted.happened
        ],
        audited=audit(made.balancer.url, made.storage, conducted.journal.acknowledged),
        faces=faces,
        index_files=index_files,
        notes=made.notes,
        ended_by_themselves=made.ended_by_themselves,
    )


def main() -> None:
    """Parse, rehearse, report."""
    parser = arguments(NAME, "Rolling updates, crashes, hangs and restarts under a constant load.")
    parser.add_argument(
        "--only", action="append", type=Scenario, choices=list(Scenario), help="may be repeated"
    )
    parser.add_argument("--rate", type=float, help="requests a second [by the form]")
    parser.add_argument("--faces", type=int, help="photos in the base [by the form]")
    parser.add_argument(
        "--from", type=Path, dest="old", metavar="DIR", help="source tree of the first pods"
    )
    asked = parser.parse_args()
    if asked.pack is None and _STARTER.is_dir():
        asked.pack = _STARTER
    old = None if asked.old is None else asked.old.resolve()
    run(NAME, asked, Rollout(asked.only, asked.rate, asked.faces, old).measure)


if __name__ == "__main__":
    main()
