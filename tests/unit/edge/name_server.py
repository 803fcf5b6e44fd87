"""A DNS server of the tests' own, for one name that stands for several addresses."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

_ANSWER = 0x8580
"""Flags: an answer, authoritative, recursion available."""
_A = 1
_IN = 1
_NAME_OF_QUESTION = 0xC00C
"""The name is the one at byte 12."""
_HEADER = struct.Struct("!6H")
_RECORD = struct.Struct("!HHHIH4s")


class NameServer(asyncio.DatagramProtocol):
    """Answers every question for an address with `addresses`, as a headless Service does."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = list(addresses)
        self.asked = 0
        """How often somebody asked for addresses."""
        self.port = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        number, _, *_ = _HEADER.unpack_from(data)
        end = data.index(0, _HEADER.size) + 1
        question = data[_HEADER.size : end + 4]
        (kind,) = struct.unpack_from("!H", data, end)
        found = []
        if kind == _A:
            self.asked += 1
            found = [
                _RECORD.pack(_NAME_OF_QUESTION, _A, _IN, 0, 4, socket.inet_aton(address))
                for address in self.addresses
            ]
        header = _HEADER.pack(number, _ANSWER, 1, len(found), 0, 0)
        self._transport.sendto(header + question + b"".join(found), addr)


@asynccontextmanager
async def naming(*addresses: str) -> AsyncIterator[NameServer]:
    """A name server on a free port of this machine."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameServer(addresses), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
