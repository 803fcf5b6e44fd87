"""One name for several inference servers, as a headless Service of Kubernetes is."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from structlog.testing import capture_logs

from edge.errors import InferenceUnavailable
from edge.inference_channel import CallPolicy
from edge.inference_client import GrpcFaceAnalyzer
from edge.use_cases.model import Embed, LookPolicy
from facesearch.inference.v1.inference_pb2_grpc import add_InferenceServiceServicer_to_server
from inference.listener import SERVICE, server_options
from inference.settings import Settings
from tests.unit.edge.inference_server import ScriptedInference
from tests.unit.edge.name_server import NameServer, naming

FIRST, SECOND, THIRD = (f"127.0.0.{number}" for number in (2, 3, 4))
PATIENT = CallPolicy(retry_seconds=30.0, timeout_seconds=30.0, silent_seconds=30.0)
WAIT_SECONDS = 60.0
"""Generous: a test machine may be busy with other things."""
Server = tuple[ScriptedInference, health.aio.HealthServicer]


@pytest.fixture
def port() -> int:
    """A port that is free on all the addresses: nothing else listens on them."""
    with socket.socket() as free:
        free.bind((FIRST, 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def server_at(address: str, port: int, *, age_seconds: float = 1.0) -> AsyncIterator[Server]:
    """A scripted server with the options of a real one."""
    settings = Settings(max_connection_age_seconds=age_seconds)
    server = grpc.aio.server(options=server_options(settings))
    service, status = ScriptedInference(name=address), health.aio.HealthServicer()
    add_InferenceServiceServicer_to_server(service, server)
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    await status.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    server.add_insecure_port(f"{address}:{port}")
    await server.start()
    try:
        yield service, status
    finally:
        await server.stop(5)


@asynccontextmanager
async def client_of(
    names: NameServer, port: int, policy: CallPolicy = PATIENT
) -> AsyncIterator[GrpcFaceAnalyzer]:
    """An edge's client that is told the name alone."""
    target = f"dns://127.0.0.1:{names.port}/inference.test.:{port}"
    client = GrpcFaceAnalyzer([target], policy=policy)
    try:
        yield client
    finally:
        await client.close()


async def call(client: GrpcFaceAnalyzer) -> None:
    await client.analyze(b"photo", look=LookPolicy.EARLY_STOP, embed=Embed.SINGLE)


async def call_until(client: GrpcFaceAnalyzer, is_so: Callable[[], bool]) -> None:
    """Goes on calling; a call that fails fails the test."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not is_so():
            await call(client)
            await asyncio.sleep(0.01)  # a caller, and not a load test


def answered(service: ScriptedInference, more: int) -> Callable[[], bool]:
    """Whether this server has answered so many calls more than now."""
    enough = len(service.asked) + more
    return lambda: len(service.asked) >= enough


async def test_calls_are_spread_over_all_servers_behind_the_name(port: int) -> None:
    async with (
        server_at(FIRST, port) as (first, _),
        server_at(SECOND, port) as (second, _),
        naming(FIRST, SECOND) as names,
        client_of(names, port) as client,
    ):
        await call_until(client, answered(first, 5))
        await call_until(client, answered(second, 5))


async def test_a_server_that_is_added_gets_calls_and_none_is_lost(port: int) -> None:
    async with (
        server_at(FIRST, port) as (first, _),
        naming(FIRST) as names,
        client_of(names, port) as client,
    ):
        await call_until(client, answered(first, 5))
        async with server_at(SECOND, port) as (second, _):
            # No connection is broken: without an end to their age nobody would look again.
            names.addresses.append(SECOND)
            await call_until(client, answered(second, 5))


async def test_all_servers_are_replaced_one_by_one_and_no_call_is_lost(port: int) -> None:
    async with (
        naming(FIRST) as names,
        client_of(names, port) as client,
        AsyncExitStack() as servers,
    ):
        old = await servers.enter_async_context(AsyncExitStack())
        first, status = await old.enter_async_context(server_at(FIRST, port))
        await call_until(client, answered(first, 5))
        for address in (SECOND, THIRD):
            # As a Deployment does: the new one is ready and named, then the old one is told to go.
            new = await servers.enter_async_context(AsyncExitStack())
            service, new_status = await new.enter_async_context(server_at(address, port))
            names.addresses.append(address)
            await call_until(client, answered(service, 5))
            names.addresses.pop(0)
            await status.enter_graceful_shutdown()
            await call_until(client, answered(service, 20))
            await old.aclose()
            await call_until(client, answered(service, 20))
            old, status = new, new_status


async def test_a_call_outlives_the_age_of_its_connection(port: int) -> None:
    answer, begun = asyncio.Event(), asyncio.Event()

    async def wait(_: object) -> None:
        begun.set()
        await answer.wait()

    async with (
        server_at(FIRST, port) as (first, _),
        naming(FIRST) as names,
        client_of(names, port) as client,
    ):
        first.behaviours.append(wait)
        long_one = asyncio.create_task(call(client))
        await asyncio.wait_for(begun.wait(), WAIT_SECONDS)
        # Others go over connections that came after its own.
        looked = names.asked
        await call_until(client, lambda: names.asked >= looked + 2)
        assert not long_one.done()
        answer.set()
        await long_one


async def test_of_two_behind_the_name_one_may_hang(port: int) -> None:
    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    hasty = CallPolicy(timeout_seconds=30.0, silent_seconds=0.1)
    async with (
        server_at(FIRST, port) as (hanging, _),
        server_at(SECOND, port),
        naming(FIRST, SECOND) as names,
        client_of(names, port, hasty) as client,
    ):
        hanging.always = hang
        await call_until(client, answered(hanging, 3))


async def test_once_a_server_behind_the_name_hangs_others_are_asked_sooner(port: int) -> None:
    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    policy = CallPolicy(timeout_seconds=60.0, silent_seconds=3.0, wary_seconds=0.05)
    async with (
        server_at(FIRST, port, age_seconds=0) as (hanging, _),
        server_at(SECOND, port, age_seconds=0),
        naming(FIRST, SECOND) as names,
        client_of(names, port, policy) as client,
    ):
        hanging.always = hang
        await call_until(client, answered(hanging, 1))
        began = time.monotonic()
        await call_until(client, answered(hanging, 5))
        assert time.monotonic() - began < policy.silent_seconds


async def test_a_name_that_nobody_answered_for_is_looked_up_anew_and_not_ever_more_rarely(
    port: int,
) -> None:
    often = CallPolicy(retry_seconds=0.0, timeout_seconds=30.0, lost_seconds=0.2)
    async with naming() as names, client_of(names, port, often) as client:
        with capture_logs() as lines:
            async with asyncio.timeout(WAIT_SECONDS):
                while not [line for line in lines if line["event"] == "channels_opened_anew"]:
                    with pytest.raises(InferenceUnavailable):
                        await client.ping()
                    await asyncio.sleep(0.05)  # as probes come
        async with server_at(FIRST, port) as (first, _):
            names.addresses.append(FIRST)
            async with asyncio.timeout(WAIT_SECONDS):
                while not first.asked:
                    with suppress(InferenceUnavailable):
                        await call(client)
                    await asyncio.sleep(0.01)  # a caller, and not a load test
