"""P5: what a search costs beside inference."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench.kit.figures import Figure
from bench.kit.http_calls import HttpCalls, Request, http_calls
from bench.kit.latency import LATENCY_COLUMNS, Latencies
from bench.kit.loops import open_loop
from bench.kit.processes import Service, start_edge
from bench.kit.result import Form, Plot, Table
from bench.kit.world import World
from bench.search.filled import fill, stub
from bench.search.people import photo_of

FACES = 10_000
PEOPLE = 500  # twenty photos of each: a page is full, and there is a next one
SELFIE_BYTES = 130_000  # a JPEG of about a megapixel
TARGET_RATE = 100.0
_RATES = {Form.SHORT: (TARGET_RATE,), Form.FULL: (50.0, TARGET_RATE, 150.0, 200.0)}
_ROUNDS = {Form.SHORT: 3, Form.FULL: 5}
_SECONDS = {Form.SHORT: 4.0, Form.FULL: 20.0}
_WARM_UP_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Run:
    """One load at one rate."""

    rate: float
    latencies: Latencies
    edge_ms: float
    """CPU time of the edge a search."""
    stub_ms: float
    client_ms: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What all loads together say."""

    figures: list[Figure]
    tables: list[Table]
    plots: list[Plot]


def measure_cost(form: Form, world: World) -> Cost:
    """Searches at constant rates over 10,000 faces in a Milvus Lite folder. Raises StartFailed,
    RequestFailed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, stub(world) as inference:
        base = Path(folder)
        fill(world, inference, base, FACES, PEOPLE)
        # None is refused: where the machine has a bad moment, that must show as a latency.
        settings = {"EDGE_MAX_IN_FLIGHT": 10_000}
        with start_edge(world, inference, base, **settings) as edge:
            runs = asyncio.run(_runs(form, edge, inference))
    return _cost(runs)


async def _runs(form: Form, edge: Service, inference: Service) -> list[Run]:
    numbers = count()
    runs = []
    async with http_calls(edge.url) as call:
        await _run(call, edge, inference, numbers, TARGET_RATE, _WARM_UP_SECONDS)
        for _ in range(_ROUNDS[form]):
            for rate in _RATES[form]:
                runs.append(await _run(call, edge, inference, numbers, rate, _SECONDS[form]))  # noqa: PERF401  # one after another
    return runs


async def _run(
    call: HttpCalls,
    edge: Service,
    inference: Service,
    numbers: count[int],
    rate: float,
    seconds: float,
) -> Run:
    # No selfie comes twice: the edge would know it again. Made before they are due.
    selfies = [_selfie(next(numbers), edge.api_key) for _ in range(round(rate * seconds))]
    before = edge.cpu_seconds(), inference.cpu_seconds(), time.process_time()
    load = await open_loop(call, selfies, rate, seconds)
    after = edge.cpu_seconds(), inference.cpu_seconds(), time.process_time()
    spent = (1000 * (b - a) / len(selfies) for a, b in zip(before, after, strict=True))
    return Run(rate, load.latencies, *spent)


def _selfie(number: int, api_key: str) -> Request:
    # The shots of the base are numbered from 0; these are others.
    photo = photo_of([number % PEOPLE], shot=1_000_000 + number, size=SELFIE_BYTES)
    return Request.with_photo("POST", "/search/?top_k=10", photo, api_key=api_key)


def _cost(runs: list[Run]) -> Cost:
    at_target = [run for run in runs if run.rate == TARGET_RATE]
    # The median round: one round in which the machine was busy with others says nothing.
    p50 = statistics.median(run.latencies.p50 for run in at_target) * 1000
    p99 = statistics.median(run.latencies.p99 for run in at_target) * 1000
    cpu = statistics.median(run.edge_ms for run in at_target)
    said = f"a search without inference, {FACES:,} faces, {TARGET_RATE:g}/s"
    together = Latencies.of(value for run in at_target for value in run.latencies.seconds)
    return Cost(
        figures=[
            Figure("P5", f"p50 of {said}", p50, "ms", 8.0, "lower"),
            Figure("P5", f"p99 of {said}", p99, "ms", 25.0, "lower"),
            Figure("P5", f"CPU time of the edge of {said}", cpu, "ms", 5.0, "lower"),
        ],
        tables=[
            Table(
                "P5: searches without inference, round by round",
                ["searches/s", *LATENCY_COLUMNS, "CPU ms: edge", "stub", "client"],
                [
                    [
                        run.rate,
                        *run.latencies.row(),
                        *(round(ms, 2) for ms in (run.edge_ms, run.stub_ms, run.client_ms)),
                    ]
                    for run in runs
                ],
            )
        ],
        plots=[
            Plot(f"P5: {said}", "cdf", "milliseconds", "searches", {"all rounds": together.cdf()})
        ],
    )
