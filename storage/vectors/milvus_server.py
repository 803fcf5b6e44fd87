"""A Milvus server or cluster by URL."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import urlsplit

from pymilvus import MilvusClient

from storage.errors import StoreMisconfigured, VectorsUnavailable
from storage.vectors.milvus_client import FAILURES, connect
from storage.vectors.milvus_errors import translate
from storage.vectors.milvus_tls import MilvusTls

T = TypeVar("T")

_THREADS = 16
# A server makes a collection, indexes and loads it in several seconds.
_DEFINE_SECONDS = 60.0
# A start waits no longer for a server that may come later.
_PROVE_SECONDS = 2.0
# Of the time of a call. pymilvus pauses for up to 3 s between attempts to connect and looks at the
# clock afterwards; whoever stops waiting first never learns why it could not.
_CONNECT_SHARE = 0.5


class MilvusServer:
    """MilvusCalls on a server. Connects at the first call, and again whenever it has to.

    The synchronous client in threads: pymilvus' asynchronous one cannot create an index on every
    server, and the wait is the server's either way.
    """

    is_embedded = False

    def __init__(
        self,
        url: str,
        *,
        token: str,
        timeout_seconds: float,
        database: str = "",
        tls: MilvusTls | None = None,
    ) -> None:
        """Raises StoreMisconfigured if the URL cannot be one of a Milvus server."""
        if not _is_server(url):
            msg = (
                f"STORAGE_VECTORS_URL is {url!r}: it must be http://host:port or https://host:port"
            )
            raise StoreMisconfigured(msg)
        self._url = url
        self._token = token
        self._database = database
        self._tls = tls or MilvusTls()
        self._timeout_seconds = timeout_seconds
        self._client: MilvusClient | None = None
        self._connecting = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="milvus")
        self._closed = False

    async def prove(self) -> None:
        """See whether the server lets us in, to the database too.

        Raises VectorsRefused if it does not, VectorsUnavailable if it does not answer.
        """
        await self._run(
            lambda client, timeout: client.list_collections(timeout=timeout),
            min(self._timeout_seconds, _PROVE_SECONDS),
            writing=False,
        )

    async def read(self, call: Callable[[MilvusClient, float], T]) -> T:
        return await self._run(call, self._timeout_seconds, writing=False)

    async def write(self, call: Callable[[MilvusClient, float], T]) -> T:
        return await self._run(call, self._timeout_seconds, writing=True)

    async def define(self, call: Callable[[MilvusClient, float], T]) -> T:
        return await self._run(call, max(self._timeout_seconds, _DEFINE_SECONDS), writing=True)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    async def _run(
        self, call: Callable[[MilvusClient, float], T], seconds: float, *, writing: bool
    ) -> T:
        if self._closed:
            msg = "the vector store is closed"
            raise VectorsUnavailable(msg)
        loop = asyncio.get_running_loop()
        try:
            # Waiting for a thread counts too: a server that hangs holds them all.
            async with asyncio.timeout(seconds):
                return await loop.run_in_executor(
                    self._threads, self._attempt, call, seconds, writing
                )
        except TimeoutError as error:
            msg = f"the vector store did not answer within {seconds:g} s"
            raise VectorsUnavailable(msg) from error

    def _attempt(
        self, call: Callable[[MilvusClient, float], T], seconds: float, writing: bool
    ) -> T:
        client = self._connected(min(seconds, self._timeout_seconds) * _CONNECT_SHARE)
        try:
            return call(client, seconds)
        except FAILURES as error:
            raise translate(error, writing) from error

    def _connected(self, seconds: float) -> MilvusClient:
        # A client that has connected once reconnects by itself.
        with self._connecting:
            if self._client is None:
                try:
                    self._client = connect(
                        self._url,
                        token=self._token,
                        database=self._database,
                        files=self._tls.options(),
                        timeout_seconds=seconds,
                        keepalive=True,
                    )
                except FAILURES as error:
                    raise translate(error, False) from error
            return self._client


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, a port out of range
        return False
