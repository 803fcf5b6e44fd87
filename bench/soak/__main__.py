"""Mixed work at half the highest rate while things fail: nothing wrong, nothing lost.

    python -m bench.soak [--full] [--minutes N] [--rate N] [--seed N]

A Milvus server, two inference servers and an edge, each under a supervisor. Searches, detections,
enrolments and removals arrive at a constant rate, and every answer is compared with what it must
be. Every two minutes a fault: a process is killed or stopped, the disk is slow, the records are
locked, the Milvus server is away. At the end every acknowledged photo is fetched.
"""

from __future__ import annotations

import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.kit.analyze import Policy, analyses
from bench.kit.photos import selfie_pictures
from bench.kit.picture_source import picture_source
from bench.kit.processes import API_KEY, Service
from bench.kit.result import JSON, Form, Result
from bench.kit.world import World, arguments, run
from bench.load.plan import keep_selfies
from bench.load.probes import probes_of
from bench.soak import findings, timeline
from bench.soak.audit import audit
from bench.soak.conduct import conduct
from bench.soak.faults import Kind, Pace, schedule
from bench.soak.plan import Plan
from bench.soak.service import SoakedService, soaked_service

NAME = "soak"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done."""

    minutes: float
    pace: Pace
    kinds: tuple[Kind, ...]
    probes: int
    churn: int
    calibration_seconds: float
    warm_up_seconds: float


_SIZES = {
    # CI has 40 s: a fault of each of the three kinds of processes.
    Form.SHORT: Size(
        minutes=0.6,
        pace=Pace(first=3.0, every=8.0, shortest=1.5, longest=2.5, quiet=15.0, is_shuffled=False),
        # Last what takes longest to be back on a slow machine.
        kinds=(Kind.INFERENCE_KILLED, Kind.STORE_AWAY, Kind.EDGE_KILLED),
        probes=12,
        churn=12,
        calibration_seconds=2.0,
        warm_up_seconds=5.0,
    ),
    Form.FULL: Size(
        minutes=60.0,
        pace=Pace(first=60.0, every=120.0, shortest=3.0, longest=8.0, quiet=60.0),
        kinds=tuple(Kind),
        # Served Milvus Lite compares each search with all rows in Python: with more of them it
        # would be what limits the rate, and faults would be the same.
        probes=150,
        churn=100,
        calibration_seconds=30.0,
        warm_up_seconds=120.0,
    ),
}


@dataclass(frozen=True, slots=True)
class Soak:
    """What was asked for."""

    minutes: float | None
    """None: by the form, as are the next."""
    rate: float | None
    seed: int

    def measure(self, form: Form, world: World) -> Result:
        """All of it. Raises StartFailed, GeneratorFailed, NoPictures, NoSelfies, CheckFailed."""
        size = _SIZES[form]
        seconds = 60 * (self.minutes or size.minutes)
        faults = schedule(size.pace, seconds, self.seed, size.kinds)
        with tempfile.TemporaryDirectory(prefix="bench-") as name, soaked_service(world) as service:
            folder = Path(name)
            plan = Plan(
                url=service.url,
                api_key=API_KEY,
                probes=str(folder / "probes"),
                faces=_keep_probes(service, world, size.probes, folder / "probes"),
                output=name,
                seconds=seconds,
                rate=self.rate,
                calibration_seconds=size.calibration_seconds,
                churn=size.churn,
                seed=self.seed,
            )
            conducted = conduct(service, plan, faults)
            service.until_ready()
            soaked = findings.Soaked(
                conducted=conducted,
                audited=audit(service, world, conducted.sent),
                processes=service.processes,
                ours=(*service.inferences, service.edge),
                warm_up_seconds=size.warm_up_seconds,
                is_long=form is Form.FULL,
            )
        lives = {process.name: process.lives for process in soaked.processes}
        details: dict[str, JSON] = {
            "seed": self.seed,
            "rate": conducted.journal.rate,
            "rate_is": "given" if self.rate else "half of the highest with 16 callers",
            "probes": len(plan.faces),
        }
        return Result(
            NAME,
            form,
            findings.figures(soaked),
            findings.tables(soaked),
            timeline.plots(conducted.journal, conducted.begun, conducted.happened, lives),
            details,
        )


def _keep_probes(service: SoakedService, world: World, count: int, folder: Path) -> tuple[int, ...]:
    """Write down the photos of the people who are searched for; how many faces each shows."""
    inference = service.inferences[0]
    address = service.addresses[0]
    asked = Service(inference.name, inference.child.pid, address, target=address)
    source = picture_source(world.photos)
    pictures = selfie_pictures(source, count)
    probes = probes_of(asked, source, pictures, world.photos)
    keep_selfies(folder, probes)
    seen = analyses(address, [probe.data for probe in probes], Policy.FULL)
    return tuple(len(answer.faces) for answer in seen)


def main() -> None:
    """Parse, soak, report."""
    parser = arguments(NAME, "Mixed work at half the highest rate while things fail.")
    parser.add_argument("--minutes", type=float, help="how long the load lasts [by the form]")
    parser.add_argument("--rate", type=float, help="requests a second [half of the highest]")
    parser.add_argument("--seed", type=int, help="of the faults and the work [a random one]")
    asked = parser.parse_args()
    seed = secrets.randbelow(10**6) if asked.seed is None else asked.seed
    print(f"seed {seed}", flush=True)
    run(NAME, asked, Soak(asked.minutes, asked.rate, seed).measure)


if __name__ == "__main__":
    main()
