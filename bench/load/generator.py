"""The load generator, a process of its own: `python -m bench.load.generator < plan.json`."""

from __future__ import annotations

import gc
import secrets
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import uvloop

from bench.load.grpc_sender import GrpcSender
from bench.load.http_sender import HttpSender
from bench.load.observed import Observed
from bench.load.open_loop import Recorder, drive
from bench.load.plan import Interface, Plan, kept_selfies
from bench.load.requests import SearchRequests

_MAX_MESSAGE_BYTES = 64 << 20


async def run(plan: Plan) -> Observed:
    """Send what the plan says, and wait for every answer."""
    selfies = kept_selfies(Path(plan.selfies))
    # A collection in the middle of a run would make requests late.
    gc.collect()
    gc.freeze()
    gc.disable()
    if plan.interface is Interface.SEARCH:
        requests = SearchRequests(
            plan.target, plan.api_key, selfies, plan.top_ks, plan.timeout_seconds
        )
        recorder = Recorder(plan.arrivals)
        sender = HttpSender(plan.target, requests, recorder, secrets.randbits(40))
        await drive(plan.arrivals, recorder, sender.send)
        sender.close()
        return recorder.observed(sender.opened)
    options = [("grpc.max_send_message_length", _MAX_MESSAGE_BYTES)]
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(target, options=options))
            for target in plan.target.split(",")
        ]
        for channel in channels:
            await channel.channel_ready()
        recorder = Recorder(plan.arrivals)
        calls = GrpcSender(channels, selfies, recorder, plan.timeout_seconds)
        await drive(plan.arrivals, recorder, calls.send)
        return recorder.observed(connections=len(channels))


def main() -> None:
    """Read the plan, run it, save what was observed."""
    plan = Plan.from_text(sys.stdin.read())
    uvloop.run(run(plan)).save(Path(plan.output))


if __name__ == "__main__":
    main()
