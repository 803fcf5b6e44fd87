"""The name of the inference servers, as a headless Service of Kubernetes would tell it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bench.rollout.dns_message import NotAQuestion, answer, read_question

NAME = "inference.rollout.test"
_TTL_SECONDS = 5
"""Of CoreDNS for a Service (its plugin `kubernetes`, where nothing else is said)."""
_MESSAGE_BYTES = 4096


class Addresses:
    """Which servers are ready, and which of them are told already.

    What changes shows only after a while: the control plane has to see it, and a cache holds the
    former answer for its time to live. The worst case is taken every time.
    """

    def __init__(self, lag_seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._lag_seconds = lag_seconds
        self._now = now
        self._states: list[tuple[float, tuple[str, ...]]] = []

    def publish(self, addresses: Sequence[str]) -> None:
        """From now on these are ready. The first ones are told at once."""
        since = self._now() + self._lag_seconds if self._states else float("-inf")
        self._states.append((since, tuple(addresses)))

    @property
    def told(self) -> tuple[str, ...]:
        """What is answered now."""
        now = self._now()
        return next((known for since, known in reversed(self._states) if since <= now), ())

    @property
    def latest(self) -> tuple[str, ...]:
        """What was published last."""
        return self._states[-1][1] if self._states else ()


@contextmanager
def name_server(addresses: Addresses) -> Iterator[int]:
    """A server on a free port of loopback, which is yielded; it ends with the block."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        thread = threading.Thread(target=_serve, args=(listening, addresses), name="names")
        thread.start()
        try:
            yield port
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"", ("127.0.0.1", port))  # empty: the end
            thread.join()


def _serve(listening: socket.socket, addresses: Addresses) -> None:
    while True:
        message, sender = listening.recvfrom(_MESSAGE_BYTES)
        if not message:
            return
        try:
            question = read_question(message)
        except NotAQuestion:
            continue
        listening.sendto(answer(question, NAME, addresses.told, _TTL_SECONDS), sender)
