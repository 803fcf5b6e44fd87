"""The load with its faults: injects each when it is due, supervises, looks at memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.kit.world import ROOT
from bench.soak.faults import Fault
from bench.soak.generator import JOURNAL, LEDGER
from bench.soak.journal import Journal
from bench.soak.ledger import State
from bench.soak.plan import Plan
from bench.soak.recovery import Happened
from bench.soak.service import SoakedService

_TICK_SECONDS = 0.05
_SAMPLE_SECONDS = 1.0
_MARGIN_SECONDS = 60.0
"""For the last answers, after the last request was due."""


class GeneratorFailed(Exception):
    """The generator ended without a journal. Carries what it wrote."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What is known of one photo that was sent."""

    photo_id: str
    collection: str
    sha256: str
    state: State


@dataclass(frozen=True, slots=True)
class Conducted:
    """One soak."""

    begun: float
    """time.monotonic() at which the load began."""
    journal: Journal
    sent: Sequence[Sent]
    happened: Sequence[Happened]


class UnderWay:
    """A fault from its beginning to its end."""

    def __init__(self, fault: Fault, service: SoakedService) -> None:
        self._fault = fault
        self._victim = service.victim(fault)
        self._begun = time.monotonic()
        self._injected = service.inject(fault)
        self._is_undone = False
        self._over = self._begun

    def is_over(self, now: float) -> bool:
        """Whether it is; undoes it when it has lasted long enough."""
        if now < self._begun + self._fault.lasts:
            return False
        self.undo()
        self._over = time.monotonic()
        return self._injected.is_over()

    def undo(self) -> None:
        """End it, once."""
        if not self._is_undone:
            self._is_undone = True
            self._injected.undo()

    @property
    def happened(self) -> Happened:
        """What there is to say of it, once it is over."""
        return Happened(self._fault, self._victim, self._begun, self._over)


def conduct(service: SoakedService, plan: Plan, faults: Sequence[Fault]) -> Conducted:
    """Fill, load, inject, wait. Raises GeneratorFailed.

    Afterwards every process runs and nothing is stopped or slow.
    """
    with tempfile.TemporaryFile("w+") as errors:
        generator = subprocess.Popen(
            [sys.executable, "-m", "bench.soak.generator"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            line = _tell(generator, plan)
            if not line:
                generator.wait()
                errors.seek(0)
                raise GeneratorFailed(errors.read()[-2000:])
            begun = float(json.loads(line)["begun"])
            happened = _inject_all(service, faults, begun, generator, plan.seconds)
        finally:
            generator.kill()
            generator.wait()
        output = Path(plan.output)
        if not (output / LEDGER).is_file():
            errors.seek(0)
            raise GeneratorFailed(errors.read()[-2000:] or "it did not end")
    entries = json.loads((output / LEDGER).read_text("utf-8"))
    sent = [Sent(name, held, digest, State(state)) for name, held, digest, state in entries]
    return Conducted(begun, Journal.load(output / JOURNAL), sent, happened)


def _tell(generator: subprocess.Popen[str], plan: Plan) -> str:
    """Give it the plan; its line once the load begins, empty if it ended before."""
    if generator.stdin is None or generator.stdout is None:
        raise GeneratorFailed("it has no pipes")
    with suppress(BrokenPipeError):  # it ended at once, and says why
        generator.stdin.write(plan.to_text())
        generator.stdin.close()
    return generator.stdout.readline()


def _inject_all(
    service: SoakedService,
    faults: Sequence[Fault],
    begun: float,
    generator: subprocess.Popen[str],
    seconds: float,
) -> list[Happened]:
    waiting = list(faults)
    under_way: UnderWay | None = None
    happened: list[Happened] = []
    next_sample = begun
    end = begun + seconds + _MARGIN_SECONDS
    try:
        while generator.poll() is None and time.monotonic() < end:
            now = time.monotonic()
            if under_way is not None and under_way.is_over(now):
                happened.append(under_way.happened)
                under_way = None
            if under_way is None and waiting and now >= begun + waiting[0].at:
                fault = waiting.pop(0)
                print(f"{fault.at:6.0f} s: {fault.kind} for {fault.lasts:.1f} s", flush=True)
                under_way = UnderWay(fault, service)
            for process in service.processes:
                process.supervise()
            if now >= next_sample:
                next_sample += _SAMPLE_SECONDS
                for process in service.processes:
                    process.sample()
            time.sleep(_TICK_SECONDS)
    finally:
        if under_way is not None:
            under_way.undo()
    return happened
