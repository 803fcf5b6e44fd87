"""A load with scenarios: starts the generator, rehearses, waits for its journal."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.kit.world import ROOT
from bench.rollout.cluster import Cluster
from bench.rollout.journal import Journal
from bench.rollout.plan import Plan
from bench.rollout.rehearsals import Rehearsal
from bench.rollout.scenarios import Happened, Scenario

_END_SECONDS = 90.0
"""For the last answers."""


class GeneratorFailed(Exception):
    """The generator ended without a journal. Carries what it wrote."""


@dataclass(frozen=True, slots=True)
class Conducted:
    """One load, and what happened under it."""

    begun: float
    """time.monotonic() at which the load began."""
    selfies: int
    """That find their person while nothing happens, and were searched with."""
    journal: Journal
    happened: Sequence[Happened]


def conduct(
    cluster: Cluster,
    plan: Plan,
    rehearsal: Rehearsal,
    scenarios: Sequence[Scenario],
    first_seconds: float,
) -> Conducted:
    """The load, first without anything else for so long. Raises GeneratorFailed, StartFailed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name, tempfile.TemporaryFile("w+") as log:
        file = Path(name) / "plan.json"
        plan.save(file)
        generator = subprocess.Popen(
            [sys.executable, "-m", "bench.rollout.generator", str(file)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

        def failed() -> GeneratorFailed:
            log.seek(0)
            return GeneratorFailed(log.read()[-2000:] or "it wrote nothing")

        try:
            if generator.stdin is None or generator.stdout is None:
                raise GeneratorFailed("it has no pipes")
            line = generator.stdout.readline()
            if not line:
                raise failed()
            said = json.loads(line)
            cluster.pass_time(first_seconds)
            happened = [rehearsal.run(scenario) for scenario in scenarios]
            with suppress(BrokenPipeError):  # it ended, and says why
                generator.stdin.close()
            if generator.wait(_END_SECONDS) != 0:
                raise failed()
        except subprocess.TimeoutExpired as error:
            raise GeneratorFailed("its last requests did not end") from error
        finally:
            generator.kill()
            generator.wait()
    journal = Journal.load(Path(plan.journal))
    return Conducted(said["begun"], said["selfies"], journal, happened)
