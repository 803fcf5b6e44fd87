"""The load generator against servers that answer, stall, refuse and hang up."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.load.arrivals import Arrivals
from bench.load.http_sender import HttpSender
from bench.load.observed import NO_ANSWER, Observed
from bench.load.open_loop import Recorder, drive
from bench.load.plan import Interface, Plan, keep_selfies, kept_selfies
from bench.load.requests import SearchRequests, Selfie

SELFIES = [Selfie(b"\xff\xd8\xff\xe0first", "Ann"), Selfie(b"\xff\xd8\xff\xe0second", "Bob")]
ANN = b'{"results":[{"photo_id":"Ann/00001","collection_id":"first"}]}'
Answer = Callable[["Received"], Awaitable[bytes]]


@dataclass(frozen=True)
class Received:
    number: int
    head: bytes
    body: bytes


@dataclass
class Server:
    """Keeps what came; answers with what it was given."""

    answer: Answer
    url: str = ""
    requests: list[Received] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                self.requests.append(received := Received(len(self.requests), head, body))
                answer = await self.answer(received)
                writer.write(answer)
                if not answer:
                    return
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return  # the generator hung up
        finally:
            writer.close()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Server]:
    server = Server(answer)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=1 << 20)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield server


def http(status: int, body: bytes = ANN, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


async def observe(server: Server, rate: float, count: int) -> Observed:
    requests = SearchRequests(server.url, "key", SELFIES, (10, 50), timeout_seconds=2)
    arrivals = Arrivals(rate, count / rate)
    recorder = Recorder(arrivals)
    sender = HttpSender(server.url, requests, recorder, run=7)
    await drive(arrivals, recorder, sender.send)
    sender.close()
    return recorder.observed(sender.opened)


async def test_answers_come_over_one_connection_while_it_is_free() -> None:
    async def answer(_: Received) -> bytes:
        return http(200)

    async with serving(answer) as server:
        observed = await observe(server, rate=50, count=6)
    assert observed.statuses() == {200: 6}
    assert observed.connections == server.connections < 6
    assert observed.lateness().longest < observed.latencies().longest


async def test_requests_come_on_time_though_no_answer_does() -> None:
    all_came = asyncio.Event()

    async def answer(received: Received) -> bytes:
        # A generator that waits for the first answer before it sends the second would hang here.
        if received.number == 9:
            all_came.set()
        await all_came.wait()
        return http(200)

    async with serving(answer) as server:
        observed = await observe(server, rate=100, count=10)
    assert observed.connections == 10
    waits = observed.done - observed.due
    # All were answered when the last came: the first waited since it was due, 9 intervals ago.
    assert waits[0] >= 0.09
    assert waits[0] > waits[9]


async def test_refusals_and_lost_connections_are_counted_by_what_they_are() -> None:
    async def answer(received: Received) -> bytes:
        match received.number % 3:
            case 0:
                return http(200)
            case 1:
                return http(429, b"{}", "Connection: close\r\n")
            case _:
                return b""

    async with serving(answer) as server:
        observed = await observe(server, rate=20, count=6)
    assert observed.statuses() == {NO_ANSWER: 2, 200: 2, 429: 2}


async def test_nobody_listening_is_no_answer() -> None:
    async def answer(_: Received) -> bytes:
        return http(200)

    async with serving(answer) as server:
        pass
    observed = await observe(server, rate=100, count=2)
    assert observed.statuses() == {NO_ANSWER: 2}


async def test_a_first_match_of_another_person_is_not_right() -> None:
    async def answer(_: Received) -> bytes:
        return http(200, ANN)

    async with serving(answer) as server:
        observed = await observe(server, rate=50, count=4)
    assert observed.is_right.tolist() == [True, False, True, False]  # the selfies take turns
    assert observed.right_share() == 0.5


async def test_every_request_is_a_form_with_bytes_that_no_other_has() -> None:
    async def answer(_: Received) -> bytes:
        return http(200)

    async with serving(answer) as server:
        await observe(server, rate=100, count=4)
    forms = [form_of(received) for received in server.requests]
    assert sorted(form["top_k"] for form in forms) == [b"10", b"10", b"50", b"50"]
    assert len({form["image"] for form in forms}) == 4
    assert all(b"X-Api-Key: key\r\n" in received.head for received in server.requests)


def form_of(received: Received) -> dict[str, bytes]:
    headers = received.head.partition(b"\r\n")[2]
    message = email.message_from_bytes(headers + received.body, policy=email.policy.HTTP)
    form = {}
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        form[str(part.get_param("name", header="content-disposition"))] = content
    return form


def test_plan_selfies_and_what_was_observed_survive_being_written_down(tmp_path: Path) -> None:
    plan = Plan(Interface.ANALYZE, "unix:/s", "key", str(tmp_path), "out", 12.5, 3.0, (5,), 4.0)
    assert Plan.from_text(plan.to_text()) == plan
    keep_selfies(tmp_path, SELFIES)
    assert kept_selfies(tmp_path) == SELFIES
    times = np.array([0.0, 1.0])
    seen = Observed(times, times, times + 1, np.array([200, 0]), np.array([True, False]), 0.5, 3)
    seen.save(tmp_path / "seen.npz")
    again = Observed.load(tmp_path / "seen.npz")
    assert again.statuses() == {0: 1, 200: 1}
    assert (again.done == seen.done).all()
    assert (again.generator_cpu_seconds, again.connections) == (0.5, 3)
