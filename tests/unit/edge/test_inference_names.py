"""Inference servers behind one name, as a headless Service of Kubernetes has them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import pytest
from structlog.testing import capture_logs

from bench.rollout.name_server import NAME, Addresses, name_server
from edge.errors import InferenceUnavailable
from edge.inference_channel import CallPolicy
from edge.inference_client import GrpcFaceAnalyzer
from edge.use_cases.model import Embed, LookPolicy
from tests.unit.edge.inference_server import Context, ScriptedInference, serving

PATIENT = CallPolicy(retry_seconds=20.0, timeout_seconds=20.0, lost_seconds=0.2)
BACK_SECONDS = 30.0
"""Generous: gRPC may look a name up once a second, and a test machine may be busy."""


async def look(client: GrpcFaceAnalyzer) -> None:
    await client.analyze(b"photo", look=LookPolicy.FULL, embed=Embed.ALL)


def at(server: ScriptedInference, number: int) -> str:
    """Its address: each has a host of its own, and all the same port, as pods have."""
    return f"127.0.1.{number}:{server.port}"


async def test_servers_that_are_exchanged_one_by_one_lose_no_call() -> None:
    servers = [ScriptedInference(str(number)) for number in range(3)]
    known = Addresses(lag_seconds=0)
    with name_server(known) as port:
        async with AsyncExitStack() as first, AsyncExitStack() as second, AsyncExitStack() as third:
            await first.enter_async_context(serving(servers[0], "127.0.1.1:0"))
            servers[1].port = servers[2].port = servers[0].port
            await second.enter_async_context(serving(servers[1], at(servers[1], 2)))
            known.publish(["127.0.1.1", "127.0.1.2"])
            target = f"dns://127.0.0.1:{port}/{NAME}:{servers[0].port}"
            client = GrpcFaceAnalyzer([target], policy=PATIENT)
            third.push_async_callback(client.close)
            async with asyncio.timeout(BACK_SECONDS):
                while not (servers[0].asked and servers[1].asked):
                    await look(client)

            await third.enter_async_context(serving(servers[2], at(servers[2], 3)))
            known.publish(["127.0.1.2", "127.0.1.3"])
            await first.aclose()
            await look(client)
            known.publish(["127.0.1.3"])
            await second.aclose()
            async with asyncio.timeout(BACK_SECONDS):
                while not servers[2].asked:
                    await look(client)


async def test_a_name_that_nobody_answered_for_is_looked_up_anew_and_not_ever_more_rarely() -> None:
    server = ScriptedInference()
    known = Addresses(lag_seconds=0)
    known.publish([])
    with name_server(known) as port:
        async with serving(server, "127.0.1.1:0"):
            client = GrpcFaceAnalyzer(
                [f"dns://127.0.0.1:{port}/{NAME}:{server.port}"], policy=PATIENT
            )
            with capture_logs() as lines:
                async with asyncio.timeout(BACK_SECONDS):
                    while not [line for line in lines if line["event"] == "channels_opened_anew"]:
                        with pytest.raises(InferenceUnavailable):
                            await client.ping()
                        await asyncio.sleep(0.05)  # as probes come
            known.publish(["127.0.1.1"])
            async with asyncio.timeout(BACK_SECONDS):
                while not server.asked:
                    with suppress(InferenceUnavailable):
                        await look(client)
            await client.close()


async def test_of_two_behind_one_name_one_may_hang() -> None:
    async def hang(_: Context) -> None:
        await asyncio.Event().wait()

    hanging, other = ScriptedInference("hanging", always=hang), ScriptedInference("other")
    known = Addresses(lag_seconds=0)
    known.publish(["127.0.1.1", "127.0.1.2"])
    policy = CallPolicy(timeout_seconds=20.0, silent_seconds=0.1)
    with name_server(known) as port:
        async with serving(hanging, "127.0.1.1:0"):
            other.port = hanging.port
            async with serving(other, at(other, 2)):
                client = GrpcFaceAnalyzer(
                    [f"dns://127.0.0.1:{port}/{NAME}:{hanging.port}"], policy=policy
                )
                async with asyncio.timeout(BACK_SECONDS):
                    while not hanging.asked:
                        await look(client)
                await client.close()
