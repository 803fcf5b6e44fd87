"""What the adapters know of pymilvus. Its import takes two seconds: `storage.open` does it late."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeVar

from pymilvus import MilvusClient

# Storage itself knows no gRPC; this is where pymilvus has its.
from pymilvus.decorators import grpc
from pymilvus.exceptions import MilvusException

T = TypeVar("T")

# What pymilvus raises when a call fails: most of gRPC's errors as its own, some as they are (a
# passed deadline, a refused token).
FAILURES: Final = (MilvusException, grpc.RpcError, grpc.FutureTimeoutError)

# They log each error with its traceback and then raise it too; ours carries the message. The
# engine of Lite has its own loggers, and what it says about recovery stays to be seen.
_LOUD = ("pymilvus", "milvus_lite.adapter.grpc.servicer", "milvus_lite.server_manager")


class MilvusCalls(Protocol):
    """Runs calls of a client off the event loop, and translates what they raise."""

    @property
    def is_embedded(self) -> bool:
        """Whether this process is the only one that can reach the data."""
        ...

    async def read(self, call: Callable[[MilvusClient, float], T]) -> T:
        """`call(client, timeout_seconds)` in a thread; VectorsUnavailable if it fails."""
        ...

    async def write(self, call: Callable[[MilvusClient, float], T]) -> T:
        """The same for a call that changes something; may raise StorageFull too."""
        ...

    async def define(self, call: Callable[[MilvusClient, float], T]) -> T:
        """The same for a call that makes or drops a collection, which takes longer."""
        ...

    async def close(self) -> None:
        """Wait for the calls that run, and let go of the client."""
        ...


def connect(
    uri: str,
    *,
    token: str = "",
    database: str = "",
    files: Mapping[str, str] | None = None,
    timeout_seconds: float,
    keepalive: bool,
) -> MilvusClient:
    """A client of its own. Blocks. Raises what pymilvus raises (FAILURES).

    `database` "": the server's default. `files`: of TLS, as pymilvus calls them.
    """
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return MilvusClient(
        uri,
        token=token,
        db_name=database,
        timeout=timeout_seconds,
        # Otherwise pymilvus keeps the connection after `close`, for the next client.
        dedicated=True,
        grpc_options=channel_options(keepalive=keepalive),
        **(files or {}),
    )


def channel_options(*, keepalive: bool) -> dict[str, int]:
    """Of gRPC, over pymilvus's own."""
    # gRPC waits up to two minutes between attempts to connect, longer the longer a server is away:
    # so long searches would go on to fail after it came back.
    options = {"grpc.initial_reconnect_backoff_ms": 100, "grpc.max_reconnect_backoff_ms": 1_000}
    if not keepalive:
        # pymilvus pings every ten seconds; a plain gRPC server answers that "too many pings".
        options["grpc.keepalive_time_ms"] = 2**31 - 1
    return options
