"""Rehearsals: who is told what, when a client comes back, and which promises are kept."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.load.observed import NO_ANSWER
from bench.load.requests import Selfie
from bench.rollout import timeline
from bench.rollout.dns_message import AAAA, A, NotAQuestion, answer, read_question
from bench.rollout.generator import Load
from bench.rollout.haproxy_config import Routed, configuration, notices, routed
from bench.rollout.http_client import Client, read_head
from bench.rollout.journal import Attempt, Journal, Operation, Outcome, Request
from bench.rollout.manifests import pod_spec
from bench.rollout.name_server import NAME, Addresses, name_server
from bench.rollout.plan import Plan
from bench.rollout.pods import DNS_LAG_SECONDS
from bench.rollout.requests import Requests
from bench.rollout.retries import PATIENCE_SECONDS, pause_before_next
from bench.rollout.scenarios import PROMISES, Happened, Scenario
from bench.rollout.verdict import REFUSALS, Judged, judged
from edge.problems import KINDS

SELFIES = [Selfie(b"\xff\xd8\xff\xe0first", "Ann"), Selfie(b"\xff\xd8\xff\xe0second", "Bob")]


# The name of the inference servers


def query(name: str, kind: int = A) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


def addresses_in(message: bytes) -> list[str]:
    count = struct.unpack_from("!6H", message)[3]
    rows = message[len(message) - 16 * count :]
    return [socket.inet_ntoa(rows[at + 12 : at + 16]) for at in range(0, len(rows), 16)]


def code_of(message: bytes) -> int:
    return int(struct.unpack_from("!6H", message)[1] & 0xF)


def test_a_name_is_answered_with_every_address() -> None:
    question = read_question(query("Inference.Rollout.TEST"))
    assert (question.number, question.name, question.kind) == (7, NAME, A)
    told = answer(question, NAME, ["127.0.1.1", "127.0.1.2"], ttl_seconds=5)
    assert addresses_in(told) == ["127.0.1.1", "127.0.1.2"]
    assert code_of(told) == 0


def test_other_kinds_of_records_are_none_and_other_names_are_not_there() -> None:
    sixes = answer(read_question(query(NAME, AAAA)), NAME, ["127.0.1.1"], ttl_seconds=5)
    assert (addresses_in(sixes), code_of(sixes)) == ([], 0)
    other = answer(read_question(query("other.test")), NAME, ["127.0.1.1"], ttl_seconds=5)
    assert (addresses_in(other), code_of(other)) == ([], 3)


@pytest.mark.parametrize("message", [b"", query(NAME)[:20], b"\0\7\x80" + query(NAME)[3:]])
def test_what_is_no_question_is_refused(message: bytes) -> None:
    with pytest.raises(NotAQuestion):
        read_question(message)


def test_addresses_are_told_late_but_for_the_first() -> None:
    now = 100.0
    addresses = Addresses(lag_seconds=6.0, now=lambda: now)
    assert list(addresses.told) == []
    addresses.publish(["one"])
    assert list(addresses.told) == ["one"]
    addresses.publish(["one", "two"])
    now = 103.0
    addresses.publish(["two"])
    assert list(addresses.latest) == ["two"]
    assert list(addresses.told) == ["one"]
    now = 106.5
    assert list(addresses.told) == ["one", "two"]
    now = 109.0
    assert list(addresses.told) == ["two"]


def test_the_name_server_answers_who_asks_it_and_passes_over_noise() -> None:
    addresses = Addresses(lag_seconds=0)
    addresses.publish(["127.0.1.9"])
    with (
        name_server(addresses) as port,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(20)
        client.sendto(b"noise", ("127.0.0.1", port))
        client.sendto(query(NAME), ("127.0.0.1", port))
        assert addresses_in(client.recv(512)) == ["127.0.1.9"]


# Pods


@pytest.mark.parametrize("name", ["edge", "inference"])
def test_pods_live_as_the_manifests_say(name: str) -> None:
    spec = pod_spec(name)
    assert f"{name.upper()}_PORT" in spec.settings
    times = spec.times
    drain = float(spec.settings[f"{name.upper()}_DRAIN_DELAY_SECONDS"])
    assert times.endpoints < times.pre_stop
    assert times.pre_stop + drain < times.grace


def test_a_name_tells_of_a_new_server_before_an_old_one_says_that_it_drains() -> None:
    times = pod_spec("inference").times
    assert times.min_ready + times.pre_stop > DNS_LAG_SECONDS


# The balancer


def test_the_configuration_names_what_it_is_given() -> None:
    text = configuration(Path("/run/commands"), port=8080, slots=3)
    assert "stats socket /run/commands " in text
    assert "bind 127.0.0.1:8080\n" in text
    assert "server-template edge 1-3 " in text
    assert "$" not in text


def test_who_got_a_request_is_read_from_the_log() -> None:
    lines = [
        "Server edges/edge1 is DOWN, reason: Layer4 connection problem",
        '{"id":"a-1-0","server":"edge1","status":200,"ended":"--","retries":"0"}',
        '{"id":"a-2-0","server":"edge2","status":-1,"ended":"CH","retries":"+1"}',
        "Proxy public started.",
    ]
    assert routed(lines) == {
        "a-1-0": Routed("edge1", 200, "--", "0"),
        "a-2-0": Routed("edge2", -1, "CH", "+1"),
    }
    assert notices(lines) == lines[:1]


# When a client comes back


def attempt(
    status: int = 200, code: str = "", after: float | None = None, sent: float = 0.0
) -> Attempt:
    return Attempt(f"r-{sent}-{status}", sent, sent + 0.1, status, code, after)


LOST = attempt(NO_ANSWER)
BUSY = attempt(429, "overloaded", after=2.0)


@pytest.mark.parametrize(
    ("attempts", "pause"),
    [
        ([attempt()], None),
        ([LOST], 0.0),
        ([attempt(502)], 0.0),
        ([LOST, LOST], None),
        ([LOST, BUSY], 2.0),
        ([BUSY, BUSY, BUSY], 2.0),
        ([attempt(503, "vectors_unavailable", after=1.0)], 1.0),
        ([attempt(503, "vectors_unavailable")], None),
        ([attempt(422, "no_faces_detected")], None),
        ([attempt(504, "deadline_exceeded")], None),
    ],
)
def test_a_client_comes_back_as_it_is_asked_and_once_after_a_loss(
    attempts: Sequence[Attempt], pause: float | None
) -> None:
    assert pause_before_next(attempts, due=0.0) == pause


def test_a_client_has_no_patience_for_ever() -> None:
    late = attempt(429, "overloaded", after=2.0, sent=PATIENCE_SECONDS - 1)
    assert pause_before_next([late], due=0.0) is None


# What was promised


def request(number: int, *attempts: Attempt, outcome: Outcome = Outcome.RIGHT) -> Request:
    return Request(number, Operation.SEARCH, attempts[0].sent, attempts, outcome)


def judge(
    scenario: Scenario,
    requests: Sequence[Request],
    *,
    served_by: dict[str, Routed] | None = None,
    victims: tuple[str, ...] = (),
    over: float = 20.0,
) -> Judged:
    happened = Happened(scenario, begun=10.0, over=over, end=30.0, victims=victims)
    return judged(Journal(requests, [], 40.0), happened, served_by or {}, begun=0.0)


def test_every_scenario_has_a_promise() -> None:
    assert set(PROMISES) == set(Scenario)


def test_what_the_edge_refuses_with_is_documented() -> None:
    known = {f"{kind.status} {kind.code}" for _, kind in KINDS if kind.is_temporary}
    assert known >= REFUSALS - {"503 no_edge_is_ready"}  # the balancer's own


def test_a_planned_change_is_noticed_if_one_request_is_sent_twice() -> None:
    kept = judge(Scenario.EDGE_UPDATE, [request(1, attempt(sent=12.0))])
    assert not kept.broken
    lost = request(2, attempt(NO_ANSWER, sent=12.0), attempt(sent=12.2))
    noticed = judge(Scenario.EDGE_UPDATE, [lost])
    assert (noticed.failed_first, noticed.not_answered) == (1, 0)
    assert noticed.broken == ["at 12.0 s: no answer (nowhere)"]


def test_requests_of_other_times_are_not_looked_at() -> None:
    before = request(1, attempt(NO_ANSWER, sent=9.8), outcome=Outcome.FAILED)
    after = request(2, attempt(NO_ANSWER, sent=30.0), outcome=Outcome.FAILED)
    assert judge(Scenario.EDGE_UPDATE, [before, after]).requests == []


def test_what_is_in_flight_when_it_begins_counts() -> None:
    in_flight = request(1, attempt(NO_ANSWER, sent=9.95), attempt(sent=10.1))
    assert judge(Scenario.EDGE_UPDATE, [in_flight]).failed_first == 1


@pytest.mark.parametrize(
    ("server", "is_kept"), [("edge2", True), ("edge1", False), (None, True)], ids=str
)
def test_after_a_crash_only_what_was_in_flight_there_may_be_sent_again(
    server: str | None, is_kept: bool
) -> None:
    lost = request(1, attempt(NO_ANSWER, sent=12.0), attempt(sent=12.2))
    served_by = {} if server is None else {lost.first.request_id: Routed(server, -1, "SH", "0")}
    found = judge(Scenario.EDGE_CRASH, [lost], served_by=served_by, victims=("edge2",))
    assert (not found.broken) is is_kept


def test_after_a_crash_what_was_in_flight_must_be_answered_in_the_end() -> None:
    lost = request(
        1,
        attempt(NO_ANSWER, sent=12.0),
        attempt(NO_ANSWER, sent=12.2),
        outcome=Outcome.FAILED,
    )
    served_by = {one.request_id: Routed("edge2", -1, "SH", "0") for one in lost.attempts}
    found = judge(Scenario.EDGE_CRASH, [lost], served_by=served_by, victims=("edge2",))
    assert found.broken == ["at 12.0 s: given up after 2 attempts"]


def test_a_store_that_restarts_may_be_noticed_by_clean_refusals_only() -> None:
    refusal = attempt(503, "records_unavailable", after=1.0, sent=12.0)
    kept = judge(Scenario.POSTGRES_RESTART, [request(1, refusal, attempt(sent=13.1))])
    assert not kept.broken
    for unclean in (
        replace(refusal, retry_after=None),
        replace(refusal, code="internal", status=500),
        replace(refusal, code="", status=NO_ANSWER),
    ):
        found = judge(Scenario.POSTGRES_RESTART, [request(1, unclean, attempt(sent=13.1))])
        assert len(found.broken) == 1


def test_refusals_must_end_soon_after_their_cause() -> None:
    late = request(1, attempt(503, "records_unavailable", after=1.0, sent=26.0), attempt(sent=27.1))
    found = judge(Scenario.POSTGRES_RESTART, [late])
    assert found.back_seconds == pytest.approx(6.0)
    assert found.broken == ["requests failed until 6.0 s after its end"]


def test_a_wrong_answer_breaks_any_promise() -> None:
    wrong = request(1, attempt(sent=12.0), outcome=Outcome.WRONG)
    for scenario in Scenario:
        assert judge(scenario, [wrong]).broken == ["at 12.0 s: a wrong answer"]


def test_what_else_is_broken_counts_too() -> None:
    happened = Happened(Scenario.DRAIN, 10.0, 20.0, 30.0, broken=("half sent, then: [0]",))
    found = judged(Journal([], [], 40.0), happened, {}, begun=0.0)
    assert found.broken == ["half sent, then: [0]"]


def test_a_list_of_what_is_broken_stays_short() -> None:
    lost = [request(n, attempt(NO_ANSWER, sent=12.0), attempt()) for n in range(9)]
    found = judge(Scenario.EDGE_UPDATE, lost)
    assert len(found.broken) == 6
    assert found.broken[-1] == "… and 4 more"


# Over time


def test_a_timeline_tells_what_became_of_each_request() -> None:
    requests = [
        request(0, attempt(sent=100.0)),
        request(1, attempt(NO_ANSWER, sent=101.0), attempt(sent=101.5)),
        request(2, attempt(503, "records_unavailable", sent=101.2), outcome=Outcome.FAILED),
        request(3, attempt(sent=102.0), outcome=Outcome.WRONG),
    ]
    waits = timeline.waits(requests, begun=100.0)
    assert list(waits) == ["right", "right, sent again", "given up", "wrong"]
    assert waits["right, sent again"] == [pytest.approx((1.0, 0.6))]
    assert timeline.answers(requests, begun=100.0) == {
        "answered": [(0.0, 1.0), (1.0, 0.0), (2.0, 1.0)],
        "503 records_unavailable": [(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)],
        "no answer": [(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)],
    }
    happened = [Happened(Scenario.EDGE_CRASH, begun=101.0, over=101.5, end=102.0)]
    first, second = timeline.plots(Journal(requests, [], 40.0), 100.0, happened)
    assert first.spans == second.spans == {"edge-crash": [(1.0, 1.5)]}


def test_a_journal_comes_back_as_it_was(tmp_path: Path) -> None:
    whole = Journal([request(1, LOST, attempt(sent=3.0))], ["newcomer/1"], 40.0)
    whole.save(tmp_path / "journal.json")
    assert Journal.load(tmp_path / "journal.json") == whole


def test_a_plan_comes_back_as_it_was(tmp_path: Path) -> None:
    plan = Plan("http://127.0.0.1:1", "key", "/selfies", "/journal.json", 40.0, 80)
    plan.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == plan


# The load

ANN = b'{"results":[{"photo_id":"Ann/00001"}]}'
Respond = Callable[[int, bytes], bytes]


def http(status: str, body: bytes, **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status}", f"content-length: {len(body)}", *lines])
    return head.encode() + b"\r\n\r\n" + body


async def under_load(
    respond: Respond, numbers: Sequence[int], enrol_every: int = 100
) -> tuple[Load, list[bytes]]:
    """Requests of these numbers at a server that responds so; the heads of what it got.

    respond: by the number of what was sent, counted from 0; empty: it hangs up.
    """
    heads: list[bytes] = []
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                heads.append(head)
                said = respond(len(heads) - 1, head)
                writer.write(said)
                if not said:
                    return
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        client = Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", 20.0)
        load = Load(client, Requests(SELFIES, "key"), enrol_every)
        now: Callable[[], float] = asyncio.get_running_loop().time
        for number in numbers:
            waiting: Awaitable[None] = load.one(number, now())
            await waiting
        client.close()
        await asyncio.gather(*filter(None, serving))
    return load, heads


async def test_an_answer_is_right_if_it_shows_the_person_first() -> None:
    load, heads = await under_load(lambda *_: http("200 OK", ANN), [0, 1])
    assert [one.outcome for one in load.done] == [Outcome.RIGHT, Outcome.WRONG]
    assert all(b"POST /search/?collection_id=base " in head for head in heads)


async def test_a_request_whose_connection_breaks_is_sent_again_under_another_id() -> None:
    load, heads = await under_load(lambda n, _: http("200 OK", ANN) if n else b"", [0])
    (done,) = load.done
    assert [one.said for one in done.attempts] == ["no answer", "200"]
    assert done.outcome is Outcome.RIGHT
    ids = [one.request_id for one in done.attempts]
    sent = [f"X-Request-Id: {one}\r\n".encode() for one in ids]
    assert all(line in head for line, head in zip(sent, heads, strict=True))
    assert len(set(ids)) == 2


async def test_what_is_sent_again_after_a_loss_gets_a_new_connection() -> None:
    """Two kept connections lead to an edge that is dead; whoever connects anew is answered."""
    is_dead = asyncio.Event()
    alive = asyncio.Barrier(2)
    serving: set[asyncio.Task[None] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        served = 0
        while await reader.read(1 << 20):
            if served and is_dead.is_set():
                break
            served += 1
            if not is_dead.is_set():
                await alive.wait()  # so that each request has a connection
            writer.write(http("200 OK", ANN))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        client = Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", 20.0)
        requests = Requests(SELFIES, "key")
        load = Load(client, requests, 100)
        now = asyncio.get_running_loop().time
        await asyncio.gather(load.one(0, now()), load.one(1, now()))
        is_dead.set()
        await load.one(2, now())
        client.close()
        await asyncio.gather(*filter(None, serving))
    assert [one.said for one in load.done[-1].attempts] == ["no answer", "200"]


async def test_a_refusal_is_kept_with_its_code_and_what_it_asks_for() -> None:
    problem = json.dumps({"code": "no_faces_detected"}).encode()
    load, _ = await under_load(
        lambda *_: http("422 Unprocessable", problem, content_type="application/problem+json"),
        [0],
    )
    (done,) = load.done
    assert [one.said for one in done.attempts] == ["422 no_faces_detected"]
    assert done.outcome is Outcome.FAILED


async def test_an_enrolment_is_acknowledged_once_it_was_answered() -> None:
    load, heads = await under_load(lambda *_: http("200 OK", b"{}"), [0, 1], enrol_every=2)
    assert [one.operation for one in load.done] == [Operation.SEARCH, Operation.ENROL]
    assert len(load.acknowledged) == 1
    assert heads[1].startswith(b"PUT /photos/newcomer%2F")


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"SSH-2.0\r\nContent-Length: 1\r\n"])
def test_a_head_that_tells_no_size_is_none(head: bytes) -> None:
    with pytest.raises(ValueError, match="no HTTP answer"):
        read_head(head)
