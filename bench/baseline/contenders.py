"""What is compared: ways to get from the bytes of a photo to its faces."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

from bench.kit.analyze import Policy, analyzing
from bench.kit.child import started
from bench.kit.facesearch import Facesearch
from bench.kit.http_calls import Request, http_calls
from bench.kit.processes import Service
from bench.kit.world import World

Ask = Callable[[bytes], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Contender:
    """One of them. All are called by the same loops, from the same process."""

    name: str
    services: Sequence[Service]
    """Those whose CPU time it takes."""
    asking: Callable[[], AbstractAsyncContextManager[Ask]]
    """While entered, a call that sends one photo and raises unless it was answered well."""


def search(name: str, ours: Facesearch) -> Contender:
    """`POST /search/`: through both processes, to the photos of the person."""
    services = (ours.inference, ours.edge)
    return Contender(name, services, lambda: _posting(ours.edge, "/search/"))


def analyze(name: str, ours: Facesearch, policy: Policy) -> Contender:
    """gRPC `Analyze`: what FaceAnalysis does, and no more."""
    return Contender(name, (ours.inference,), lambda: analyzing(ours.inference.target, policy))


@contextmanager
def baseline(
    world: World, name: str, *, det_size: int | None, threads: int | None
) -> Iterator[Contender]:
    """The server over FaceAnalysis. As `bench.baseline.server`. Raises StartFailed."""
    command = [sys.executable, "-m", "bench.baseline.server", "--pack", str(world.pack)]
    command += [] if det_size is None else ["--det-size", str(det_size)]
    command += [] if threads is None else ["--threads", str(threads)]
    # Always of this source tree: what is measured may be an older one.
    with started(name, command, replace(world, checkout=None), {}) as child:
        address = f"127.0.0.1:{child.serving()['port']}"
        service = Service(name, child.pid, address, url=f"http://{address}")
        yield Contender(name, (service,), lambda: _posting(service, "/faces"))


@asynccontextmanager
async def _posting(service: Service, path: str) -> AsyncIterator[Ask]:
    async with http_calls(service.url) as call:

        async def ask(photo: bytes) -> None:
            await call(Request.with_photo("POST", path, photo, api_key=service.api_key))

        yield ask
