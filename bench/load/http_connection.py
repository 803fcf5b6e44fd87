"""One keep-alive HTTP/1.1 connection, as thin as a load generator needs it.

A client library takes 1–3 ms of CPU a request; on a machine that also runs what is measured, that
would be a fifth of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from bench.load.observed import NO_ANSWER

_END_OF_HEAD = b"\r\n\r\n"
Answered = Callable[[int, bytes], None]
"""Called with the status and the body; NO_ANSWER and b"" if the connection was lost."""


class HttpConnection(asyncio.Protocol):
    """Sends one request at a time and reads its answer, which must name its Content-Length."""

    def __init__(self, is_idle: Callable[[HttpConnection], None]) -> None:
        """is_idle: called when an answer is complete and the connection may be used again."""
        self._is_idle = is_idle
        self._transport: asyncio.Transport | None = None
        self._answered: Answered | None = None
        self._received = bytearray()
        self._needed = 0  # bytes of head and body; 0 until the head is complete
        self._body_at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def request(self, parts: Sequence[bytes], answered: Answered) -> None:
        """Send a whole request. Only on a connection that is idle."""
        if self._transport is None or self._answered is not None:
            raise RuntimeError("the connection is not free")
        self._answered = answered
        self._transport.writelines(parts)

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._needed:
            end = self._received.find(_END_OF_HEAD)
            if end < 0:
                return
            self._body_at = end + len(_END_OF_HEAD)
            self._needed = self._body_at + content_length(bytes(self._received[:end]))
        if len(self._received) >= self._needed:
            self._complete()

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        answered, self._answered = self._answered, None
        if answered is not None:
            answered(NO_ANSWER, b"")

    def _complete(self) -> None:
        message = bytes(self._received[: self._needed])
        head, body = message[: self._body_at], message[self._body_at :]
        self._received.clear()
        self._needed = 0
        answered, self._answered = self._answered, None
        if b"\r\nconnection: close" in head.lower():
            self.close()
        if answered is not None:
            answered(status_of(head), body)
        if self.is_open:
            self._is_idle(self)


def status_of(head: bytes) -> int:
    """The status of an answer's head. Raises ValueError if it is none."""
    version, _, rest = head.partition(b" ")
    if not version.startswith(b"HTTP/1."):
        raise ValueError(f"no HTTP answer: {head[:40]!r}")
    return int(rest[:3])


def content_length(head: bytes) -> int:
    """Bytes of the body. Raises ValueError if the head does not say."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    raise ValueError("an answer without Content-Length")
