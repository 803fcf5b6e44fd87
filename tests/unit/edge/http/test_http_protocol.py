"""The head of a request is bounded in size and in time, before anything of ours runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge import http_protocol
from edge.http_server import listen, serving
from tests.unit.edge.http.conftest import Edge

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(edge: Edge) -> AsyncIterator[Connection]:
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    async with serving(edge.app, listening, drain_seconds=1):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()


async def answer_to_endless_bytes(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bytes:
    """The first line of the answer, sent more and more until it comes."""
    answering = asyncio.create_task(reader.readline())
    for _ in range(1_000):
        writer.write(b"x" * 4_096)
        done, _ = await asyncio.wait({answering}, timeout=0.001)
        if done:
            return answering.result()
    raise AssertionError("4 MB were taken for a head")


async def test_a_head_that_is_too_large_is_refused(edge: Edge) -> None:
    async with connected(edge) as (reader, writer):
        writer.write(b"GET /ping HTTP/1.1\r\nHost: edge\r\nX-Long: ")
        assert await answer_to_endless_bytes(reader, writer) == b"HTTP/1.1 400 Bad Request\r\n"


async def test_a_head_that_never_ends_is_refused(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "MAX_HEAD_SECONDS", 0.05)
    async with connected(edge) as (reader, writer):
        writer.write(b"GET /ping HTTP/1.1\r\nHost:")
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 400")


async def test_a_body_may_be_larger_than_a_head(edge: Edge) -> None:
    body = b"--b\r\n" + b"x" * 200_000
    async with connected(edge) as (reader, writer):
        writer.write(
            b"POST /search/ HTTP/1.1\r\nHost: edge\r\nX-Api-Key: the-main-key\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        answer = await reader.read()
    assert b"invalid_parameter" in answer


async def test_requests_after_the_first_are_bounded_too(edge: Edge) -> None:
    async with connected(edge) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: edge\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            await reader.readexactly(len(b'{"status":"ok"}'))
        writer.write(b"GET /livez HTTP/1.1\r\nX-Long: ")
        assert await answer_to_endless_bytes(reader, writer) == b"HTTP/1.1 400 Bad Request\r\n"
