"""Searches at a constant rate, with Locust.

    python -m locust -f bench/locust/locustfile.py --headless --host http://127.0.0.1:8000 \\
        --api-key KEY --selfies FOLDER --rate 100 --seconds 300 [--top-k 10] [--collection NAME]

Locust's users wait for their answers, so a rate is constant only as long as answers take less than
a user's turn, and its latencies count from the sending. `python -m bench.load` counts from the
moment a request was due; take its figures.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import dataclass, fields
from itertools import count
from pathlib import Path

from locust import FastHttpUser, LoadTestShape, events, task
from locust.argument_parser import LocustArgumentParser
from locust.contrib.fasthttp import ResponseContextManager
from locust.env import Environment

from bench.kit.copies import copy_of
from bench.load.requests import CONTENT_TYPE, form

_OK = 200
_TURN_SECONDS = 2.0
"""Each user searches once in so long: an answer may take that long before the rate sinks."""


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]  # Locust's
def options(parser: LocustArgumentParser) -> None:
    """Those of this load."""
    parser.add_argument("--api-key", default=os.environ.get("FACESEARCH_API_KEY", ""))
    parser.add_argument("--selfies", type=Path, required=True, help="folder of .jpg")
    parser.add_argument("--rate", type=float, default=100.0, help="searches a second")
    parser.add_argument("--seconds", type=float, default=300.0, help="how long")
    parser.add_argument(
        "--top-k", type=int, action="append", help="several are taken in turns [10, 50]"
    )
    parser.add_argument(
        "--failures-file", type=Path, help="why searches failed, and how many: as JSON"
    )
    parser.add_argument(
        "--collection", action="append", help="search in this one; several: in all [whole base]"
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """Options of the command line."""

    api_key: str
    selfies: Path
    rate: float
    seconds: float
    top_k: list[int] | None
    collection: list[str] | None

    @classmethod
    def of(cls, environment: Environment) -> Asked:
        """What this run was started with."""
        given = vars(environment.parsed_options)
        return cls(**{field.name: given[field.name] for field in fields(cls)})

    @property
    def top_ks(self) -> list[int]:
        return self.top_k or [10, 50]


class Searching(FastHttpUser):
    """One of the users, who take turns: all of them together keep the rate."""

    _started = count()  # Locust makes the users, so nobody can tell them their number

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._asked = Asked.of(environment)
        self._number = next(self._started)
        files = sorted(self._asked.selfies.glob("*.jpg"))
        # Each user begins with another one; three do, no bytes are sent twice.
        self._selfies = [files[(self._number + n) % len(files)].read_bytes() for n in range(3)]
        self._sent = 0
        self._due = 0.0

    def on_start(self) -> None:
        """Locust starts all users at once: each waits for its place in the turn."""
        self._due = time.perf_counter() + self._number / self._asked.rate % _TURN_SECONDS
        time.sleep(self._due - time.perf_counter())

    def wait_time(self) -> float:
        """Until the next search is due. Locust's constant_throughput counts from the last one, and
        the first from the start of the user."""
        self._due += _TURN_SECONDS
        return max(0.0, self._due - time.perf_counter())

    @task
    def search(self) -> None:
        """One selfie that the edge has not seen yet."""
        number = self._sent
        self._sent += 1
        selfie = self._selfies[number % len(self._selfies)]
        top_ks = self._asked.top_ks
        top_k = top_ks[number % len(top_ks)]
        mark = (os.getpid() * 10_000 + self._number) * 1_000_000 + number
        body = form(copy_of(selfie, mark), top_k, self._asked.collection or ())
        with self.client.request(
            "POST",
            "/search/",
            data=b"".join(body),  # type: ignore[arg-type]  # bytes do
            headers={"Content-Type": CONTENT_TYPE, "X-Api-Key": self._asked.api_key},
            name=f"/search/ top_k={top_k}",
            catch_response=True,
        ) as answer:
            if answer.status_code != _OK:
                answer.failure(_reason(answer))


def _reason(answer: ResponseContextManager) -> str:
    """The status and the problem's code; what went wrong where there was no answer."""
    if not answer.status_code:
        return type(getattr(answer, "error", None)).__name__  # a refused connection has one
    try:
        code = json.loads(answer.content or b"").get("code", "")
    except (AttributeError, ValueError):
        code = ""
    return f"{answer.status_code} {code}".strip()


@events.quitting.add_listener  # type: ignore[untyped-decorator]  # Locust's
def write_failures(environment: Environment, **_: object) -> None:
    """Locust's own JSON says how many failed, and not why."""
    given = vars(environment.parsed_options).get("failures_file")
    if given is None:
        return
    reasons = Counter[str]()
    for failed in environment.stats.errors.values():
        reasons[str(failed.error)] += failed.occurrences
    Path(given).write_text(json.dumps(reasons), encoding="utf-8")


class ConstantRate(LoadTestShape):
    """So many users that the rate comes out, all at once, for so long."""

    def tick(self) -> tuple[int, float] | None:
        """Users and how many of them start a second; None: the end."""
        asked = Asked.of(self.runner.environment) if self.runner else None
        if asked is None or time.perf_counter() - self.start_time >= asked.seconds:
            return None
        users = max(1, round(asked.rate * _TURN_SECONDS))
        return users, users
