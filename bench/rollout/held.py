"""Requests that are still being sent while their edge is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from bench.load.http_connection import status_of

_PATIENCE_SECONDS = 40.0
_PIECE_BYTES = 65_536


class Held:
    """So many requests to the balancer of which half is sent. Ended with the block."""

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self._port = port
        self._requests = requests
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        for request in self._requests:
            client = socket.create_connection(("127.0.0.1", self._port), _PATIENCE_SECONDS)
            self._sockets.append(client)
            client.sendall(request[: len(request) // 2])
        return self

    def finish(self) -> list[int]:
        """Send the rest; the statuses of the answers, 0 where none came."""
        return [
            _answered(client, request[len(request) // 2 :])
            for client, request in zip(self._sockets, self._requests, strict=True)
        ]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for client in self._sockets:
            client.close()


def _answered(client: socket.socket, rest: bytes) -> int:
    try:
        client.sendall(rest)
        return status_of(client.recv(_PIECE_BYTES))
    except (OSError, ValueError):
        return 0
