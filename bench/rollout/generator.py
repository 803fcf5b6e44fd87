"""The load, a process of its own: `python -m bench.rollout.generator plan.json`.

It searches with every selfie once, and keeps those that find their person. Then it says on a line
of JSON when the load begins, and goes on until its standard input ends.
"""

from __future__ import annotations

import asyncio
import gc
import json
import secrets
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench.load.plan import kept_selfies
from bench.load.requests import Selfie
from bench.rollout.http_client import Answer, Client
from bench.rollout.journal import Attempt, Journal, Operation, Outcome, Request
from bench.rollout.plan import Plan
from bench.rollout.requests import NEWCOMERS, Requests
from bench.rollout.retries import ANSWER_SECONDS, pause_before_next

_LEAD_SECONDS = 0.1
_CALM_CALLERS = 2
_CALM_MARKS = 10**8


class NotRight(Exception):
    """Searches do not find their person, though nothing happens."""


class Load:
    """Sends what is due, again where a client would, and writes down what became of it."""

    def __init__(self, client: Client, requests: Requests, enrol_every: int) -> None:
        self._client = client
        self._requests = requests
        self._enrol_every = enrol_every
        self._run = secrets.token_hex(3)
        self.done: list[Request] = []
        self.acknowledged: list[str] = []

    async def one(self, number: int, due: float) -> None:
        """Request `number`, until it is answered or given up."""
        is_enrolment = number % self._enrol_every == self._enrol_every - 1
        operation = Operation.ENROL if is_enrolment else Operation.SEARCH
        photo_id = f"newcomer/{self._run}-{number}"
        attempts: list[Attempt] = []
        while True:
            request_id = f"{self._run}-{number}-{len(attempts)}"
            if is_enrolment:
                photo = self._requests.photo(number)
                data = self._requests.enrol(photo, request_id, photo_id, NEWCOMERS)
            else:
                data = self._requests.search(number, request_id)
            sent = time.monotonic()
            is_lost = bool(attempts) and attempts[-1].is_lost
            answer = await self._client.ask(data, is_lost=is_lost)
            attempts.append(_attempt(request_id, sent, answer))
            pause = pause_before_next(attempts, due)
            if pause is None:
                break
            await asyncio.sleep(pause)
        outcome = Outcome.FAILED
        if attempts[-1].is_ok:
            is_right = is_enrolment or self._requests.is_right(number, answer.body)
            outcome = Outcome.RIGHT if is_right else Outcome.WRONG
            if is_enrolment:
                self.acknowledged.append(photo_id)
        self.done.append(Request(number, operation, due, tuple(attempts), outcome))


async def run(plan: Plan, until: asyncio.Event) -> None:
    """Everything, in order."""
    client = Client(plan.url, ANSWER_SECONDS)
    selfies = await _known(client, plan, kept_selfies(Path(plan.selfies)))
    load = Load(client, Requests(selfies, plan.api_key), plan.enrol_every)
    # A collection in the middle would make requests late.
    gc.collect()
    gc.freeze()
    begun = time.monotonic() + _LEAD_SECONDS
    print(json.dumps({"begun": begun, "selfies": len(selfies)}), flush=True)
    async with asyncio.TaskGroup() as under_way:
        number = 0
        while not until.is_set():
            due = begun + number / plan.rate
            await asyncio.sleep(due - time.monotonic())
            under_way.create_task(load.one(number, due))
            number += 1
    client.close()
    requests = sorted(load.done, key=lambda request: request.number)
    Journal(requests, load.acknowledged, plan.rate).save(Path(plan.journal))


async def _known(client: Client, plan: Plan, selfies: Sequence[Selfie]) -> list[Selfie]:
    """Those that find their person while nothing happens. Raises NotRight."""
    requests = Requests(selfies, plan.api_key, first_mark=_CALM_MARKS)
    known: list[Selfie] = []
    turns = iter(range(len(selfies)))

    async def work() -> None:
        for number in turns:
            answer = await client.ask(requests.search(number, f"calm-{number}"))
            if requests.is_right(number, answer.body):
                known.append(selfies[number])

    async with asyncio.TaskGroup() as callers:
        for _ in range(_CALM_CALLERS):
            callers.create_task(work())
    if len(known) < len(selfies) / 2:
        raise NotRight(f"{len(known)} of {len(selfies)} selfies find their person")
    return known


def _attempt(request_id: str, sent: float, answer: Answer) -> Attempt:
    after = answer.headers.get("retry-after")
    return Attempt(
        request_id=request_id,
        sent=sent,
        done=time.monotonic(),
        status=answer.status,
        code=_code(answer),
        retry_after=None if after is None else float(after),
    )


def _code(answer: Answer) -> str:
    if answer.headers.get("content-type") != "application/problem+json":
        return ""
    return str(json.loads(answer.body)["code"])


async def _main(plan: Plan) -> None:
    until = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(until.set)

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    await run(plan, until)


if __name__ == "__main__":
    uvloop.run(_main(Plan.load(Path(sys.argv[1]))))
