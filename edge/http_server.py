"""uvicorn on a socket of ours, stopped by us."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from fastapi import FastAPI

from edge.errors import StartRefused
from edge.http_protocol import BoundedHeadProtocol

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 65  # longer than the 60 s of common load balancers, which must close first


class _Server(uvicorn.Server):
    """Leaves the signals alone: the process has more to stop than the server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises StartRefused, one line that says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise StartRefused(
            f"cannot listen on {host}:{port} ({os.strerror(error.errno or 0)}); "
            "set EDGE_PORT (0 takes a free one) or EDGE_HOST"
        ) from error


def address_of(listening: socket.socket) -> dict[str, object]:
    """Where it listens, for a log line: the URL and the port."""
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return {"address": f"http://{shown}:{port}", "port": port}


@contextlib.asynccontextmanager
async def serving(
    app: FastAPI, listening: socket.socket, *, drain_seconds: float
) -> AsyncIterator[None]:
    """Answers while the block runs; at its end nothing new is taken, what is in flight finishes."""
    server = _Server(
        uvicorn.Config(
            app,
            loop="none",
            http=BoundedHeadProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=round(drain_seconds),
        )
    )
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
