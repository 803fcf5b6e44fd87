"""The worker's side: a socket that others listen on too, and a line to the parent."""

from __future__ import annotations

import asyncio
import socket

_SERVING = b"serving"


class Worker:
    """What a parent hands to each of its workers."""

    def __init__(
        self, number: int, listening: socket.socket, parent: socket.socket, *, is_first: bool
    ) -> None:
        """parent: one end of a pair whose other end the parent keeps as long as it lives."""
        self.number = number
        self.listening = listening
        self.is_first = is_first
        """Whether nobody answers yet: then it takes connections at once, for /livez and /readyz.
        Others leave them to those that serve, until they do too."""
        self._parent = parent
        self._parent.setblocking(False)

    @classmethod
    def from_arguments(cls, number: int, listening: int, parent: int, is_first: int) -> Worker:
        """Of what the process was started with; two are descriptors that are open already."""
        return cls(
            number,
            socket.socket(fileno=listening),
            socket.socket(fileno=parent),
            is_first=bool(is_first),
        )

    async def say_serving(self) -> None:
        """Tell the parent that requests are answered."""
        try:
            await asyncio.get_running_loop().sock_sendall(self._parent, _SERVING)
        except OSError:
            return  # it has gone: `until_alone` says so

    async def until_alone(self) -> None:
        """Return when the parent has ended, however it did: the kernel closes its end then."""
        try:
            await asyncio.get_running_loop().sock_recv(self._parent, 1)
        except ConnectionError:
            return


async def said_serving(worker: socket.socket) -> bool:
    """The parent's side: whether the worker says so, before it ends."""
    try:
        return bool(await asyncio.get_running_loop().sock_recv(worker, len(_SERVING)))
    except ConnectionError:
        return False
