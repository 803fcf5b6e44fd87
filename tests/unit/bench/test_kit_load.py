"""Loads: who waits, what counts as a wait, and that no photo is sent twice."""

from __future__ import annotations

import asyncio
from itertools import count, islice

import cv2
import numpy as np
import pytest

from bench.kit.copies import Copies, NotAJpeg, copy_of
from bench.kit.http_calls import Request, RequestFailed, http_calls
from bench.kit.loops import closed_loop, for_seconds, open_loop


class Refusal(Exception):
    pass


async def test_a_closed_loop_has_so_many_callers_at_once_and_no_more() -> None:
    at_work = highest = 0

    async def call(_: int) -> None:
        nonlocal at_work, highest
        at_work += 1
        highest = max(highest, at_work)
        await asyncio.sleep(0)
        at_work -= 1

    load = await closed_loop(call, range(50), callers=4)
    assert highest == 4
    assert len(load.latencies) == 50


async def test_a_stall_is_felt_by_all_who_came_during_it() -> None:
    """One at a time, 10 ms each, asked for 200 a second: the queue is part of the latency."""
    server = asyncio.Semaphore(1)

    async def call(_: int) -> None:
        async with server:
            await asyncio.sleep(0.01)

    load = await open_loop(call, range(20), per_second=200, seconds=0.1)
    assert len(load.latencies) == 20
    assert load.latencies.longest >= 20 * 0.01 - 19 / 200
    assert load.latencies.p50 > 0.03


async def test_a_refused_request_has_waited_for_the_whole_load() -> None:
    async def call(number: int) -> None:
        if number == 3:
            raise Refusal

    load = await open_loop(call, count(), per_second=1000, seconds=0.02, failures=(Refusal,))
    assert load.failed == 1
    assert load.latencies.longest == load.seconds


async def test_a_failure_that_was_not_expected_ends_the_load() -> None:
    async def call(_: int) -> None:
        raise Refusal

    with pytest.raises(ExceptionGroup):
        await open_loop(call, count(), per_second=1000, seconds=0.02)


def test_items_end_when_the_time_is_up() -> None:
    assert list(for_seconds(range(10), 0)) == [0]


def pixels_of(photo: bytes) -> bytes:
    pixels = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels.tobytes()


@pytest.fixture
def photo() -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def test_copies_are_other_files_of_the_same_picture(photo: bytes) -> None:
    copies = list(islice(Copies([photo, photo]), 6))
    assert len({*copies, photo}) == 7
    assert len({pixels_of(one) for one in copies}) == 1
    with pytest.raises(NotAJpeg):
        copy_of(b"\x89PNG", 0)


async def test_a_photo_arrives_as_it_was_sent_and_a_refusal_is_raised(photo: bytes) -> None:
    received: list[bytes] = []
    answers = iter([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"] * 2)
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                received.append(await reader.readexactly(length))
                full = b"HTTP/1.1 503 Away\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!"
                writer.write(next(answers, full))
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, http_calls(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as call:
        request = Request.with_photo("POST", "/search/", photo, api_key="k")
        assert [await call(request), await call(request)] == [b"hi", b"hi"]
        assert connections == 1
        with pytest.raises(RequestFailed, match="503: no!"):
            await call(request)
    assert all(photo in body for body in received)
