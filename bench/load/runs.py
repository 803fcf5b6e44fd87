"""One run of the generator, and what it cost the services."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.kit.processes import Service
from bench.kit.world import ROOT
from bench.load.observed import Observed
from bench.load.plan import Interface, Plan

_MARGIN_SECONDS = 60.0
"""For the generator to start and the last answers to come."""


class GeneratorFailed(Exception):
    """The generator ended without a result. Carries what it wrote."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run at one rate."""

    plan: Plan
    observed: Observed
    cpu_seconds: dict[str, float]
    """User and system time by process, over the whole run."""

    def cpu_per_request(self) -> dict[str, float]:
        """Milliseconds of CPU for one request, by process; the generator is "client"."""
        count = self.observed.count
        used = {**self.cpu_seconds, "client": self.observed.generator_cpu_seconds}
        return {name: seconds / count * 1000 for name, seconds in used.items()}


@dataclass(frozen=True, slots=True)
class Generator:
    """Makes runs against one interface."""

    interface: Interface
    services: Sequence[Service]
    """All that work for it; the first is the one that is asked."""
    selfies: Path
    """Folder that `keep_selfies` wrote."""

    def run(self, rate: float, seconds: float) -> Run:
        """Send so many requests a second for so long, and wait for the last answer.

        Raises GeneratorFailed.
        """
        asked = self.services[0]
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            plan = Plan(
                interface=self.interface,
                target=asked.url if self.interface is Interface.SEARCH else asked.target,
                api_key=asked.api_key,
                selfies=str(self.selfies),
                output=str(Path(folder) / "observed.npz"),
                rate=rate,
                seconds=seconds,
            )
            before = [service.cpu_seconds() for service in self.services]
            _generate(plan)
            used = {
                service.name: service.cpu_seconds() - earlier
                for service, earlier in zip(self.services, before, strict=True)
            }
            return Run(plan, Observed.load(Path(plan.output)), used)


def _generate(plan: Plan) -> None:
    # A process of its own: what the benchmark does besides must not make requests late.
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "bench.load.generator"],
            cwd=ROOT,
            input=plan.to_text(),
            capture_output=True,
            text=True,
            timeout=plan.seconds + plan.timeout_seconds + _MARGIN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise GeneratorFailed(f"answers were still missing after {error.timeout:g} s") from error
    if ended.returncode:
        raise GeneratorFailed(ended.stderr[-2000:])
