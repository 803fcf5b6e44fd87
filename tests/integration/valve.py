"""A TCP proxy whose way back can be shut: a client that reads nothing, as its server sees it."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, suppress
from typing import Self


class Valve:
    """Between one connection and a server; open at first."""

    def __init__(self, port: int) -> None:
        """port: of the server, on 127.0.0.1."""
        self._port = port
        self._stack = ExitStack()
        self._is_open = threading.Event()
        self._is_open.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        """For the client."""

    def __enter__(self) -> Self:
        self._stack.enter_context(self._listening)
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open.set()
        self._stack.close()

    def shut(self) -> None:
        """Nothing comes back from now on; what is sent still arrives."""
        self._is_open.clear()

    def open(self) -> None:
        """Everything that was held back comes."""
        self._is_open.set()

    def _serve(self) -> None:
        with suppress(OSError):  # closed at the end
            client, _ = self._listening.accept()
            server = socket.create_connection(("127.0.0.1", self._port))
            for connection in (client, server):
                self._stack.callback(connection.close)
                self._stack.callback(_shut_down, connection)
            back = threading.Thread(target=self._pump, args=(server, client, True), daemon=True)
            back.start()
            self._pump(client, server, False)

    def _pump(self, source: socket.socket, sink: socket.socket, is_back: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(65_536):
                if is_back:
                    self._is_open.wait()
                sink.sendall(piece)


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
