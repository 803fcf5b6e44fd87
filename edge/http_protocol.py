"""uvicorn's HTTP protocol, with a limit on what comes before a request is a request.

The head of a request (its line and headers) is read before anything of ours runs, and uvicorn
bounds neither its size nor its time: one connection could fill the memory, or stay for ever.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
MAX_HEAD_SECONDS = 15.0


class BoundedHeadProtocol(HttpToolsProtocol):
    """Closes connections whose request heads are too large, or too slow."""

    _is_in_head = False
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._head_begins()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_ends()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_in_head:
            self._head_bytes += len(data)
            # A body may share the piece with the end of the head, so a piece more is let through.
            if self._head_bytes - len(data) > MAX_HEAD_BYTES:
                self._refuse(f"The head of a request may have {MAX_HEAD_BYTES} bytes.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if not self._is_in_head:  # the next request of a connection
            self._head_begins()

    def on_headers_complete(self) -> None:
        self._head_ends()
        super().on_headers_complete()

    def _head_begins(self) -> None:
        self._is_in_head = True
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(
            MAX_HEAD_SECONDS, self._refuse, "The head of the request took too long."
        )

    def _head_ends(self) -> None:
        self._is_in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, reason: str) -> None:
        self._head_ends()
        if not self.transport.is_closing():
            self.send_400_response(reason)
