"""The generator, a process of its own: `python -m bench.soak.generator < plan.json`.

It fills the base, measures the highest rate if it is told none, says on a line of JSON when the
load begins, and writes its journal and its ledger at the end.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from itertools import count
from pathlib import Path

import uvloop

from bench.kit.loops import closed_loop, for_seconds, open_loop
from bench.load.plan import kept_selfies
from bench.soak.client import Client
from bench.soak.journal import Journal, Verdict, Writing
from bench.soak.plan import BASE, CHURN, Plan
from bench.soak.requests import Requests
from bench.soak.traffic import Traffic

JOURNAL = "journal.npz"
LEDGER = "ledger.json"
_FILLING_CALLERS = 4
_CALLERS = 16
"""Of the measurement of the highest rate: half of what the edge lets in at once."""
_SHARE = 0.5
"""Of the highest rate."""


class NotFilled(Exception):
    """The base could not be filled while nothing was wrong yet."""


async def run(plan: Plan) -> None:
    """Everything, in order."""
    probes = kept_selfies(Path(plan.probes))
    client = Client(plan.url)
    requests = Requests(probes, plan.api_key)
    traffic = Traffic(client, requests, probes, plan.faces, plan.churn, plan.seed)
    await _fill(traffic, plan)
    rate = plan.rate
    if rate is None:
        rate = _SHARE * await _highest(traffic, plan.calibration_seconds)
    # From here on only what happens under the constant rate counts.
    traffic.writing = Writing()
    gc.collect()
    gc.freeze()
    begun = time.monotonic()
    print(json.dumps({"begun": begun, "rate": rate}), flush=True)

    async def one(number: int) -> None:
        await traffic.one(begun + number / rate)

    await open_loop(one, count(), rate, plan.seconds)
    client.close()
    folder = Path(plan.output)
    Journal.of(traffic.writing, rate).save(folder / JOURNAL)
    entries = [
        [entry.photo_id, entry.collection, entry.sha256, entry.state]
        for entry in traffic.ledger.entries()
    ]
    (folder / LEDGER).write_text(json.dumps(entries), "utf-8")


async def _fill(traffic: Traffic, plan: Plan) -> None:
    """Every probe in both collections of the base, and the first of those that come and go."""
    wanted = [(probe, name) for probe in range(len(plan.faces)) for name in BASE]
    wanted += [(number % len(plan.faces), CHURN) for number in range(plan.churn)]

    async def put(place: tuple[int, str]) -> None:
        await traffic.enrol(time.monotonic(), *place)

    await closed_loop(put, wanted, _FILLING_CALLERS)
    _demand_right(traffic, "the base could not be filled")


async def _highest(traffic: Traffic, seconds: float) -> float:
    """Operations a second with so many callers that none could be added."""

    async def one(_: int) -> None:
        await traffic.one(time.monotonic())

    load = await closed_loop(one, for_seconds(count(), seconds), _CALLERS)
    _demand_right(traffic, "not all was well before any fault")
    return load.per_second


def _demand_right(traffic: Traffic, message: str) -> None:
    writing = traffic.writing
    others = [
        answer
        for answer, verdict in zip(writing.answer, writing.verdict, strict=True)
        if verdict != Verdict.RIGHT
    ]
    if others:
        raise NotFilled(f"{message}: {others[:3]}, {writing.faults[:3]}")


def main() -> None:
    """Read the plan, run it."""
    uvloop.run(run(Plan.from_text(sys.stdin.read())))


if __name__ == "__main__":
    main()
