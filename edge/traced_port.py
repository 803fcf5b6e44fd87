"""Ports whose calls are parts of the trace of the request that makes them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast

from edge.tracing import Tracing
from edge.use_cases.model import FaceAnalyzer
from edge.use_cases.two_packs import Connect
from storage.open import Stores
from storage.photos.port import PhotoStore
from storage.records.port import RecordStore
from storage.vectors.port import VectorStore

_ASKING = frozenset({"analyze", "embed"})
"""What goes to inference every time; the rest is known after the first call."""


class TracedPort:
    """Any port: each method that is awaited becomes a part, `name.method`.

    Methods that yield pages (scans) are passed on as they are: no request makes them.
    """

    def __init__(
        self,
        name: str,
        inner: object,
        tracing: Tracing,
        *,
        is_remote: bool = False,
        only: frozenset[str] | None = None,
    ) -> None:
        """only: the methods that are parts; None: all. is_remote: as of `Tracing.part`."""
        self._name = name
        self._inner = inner
        self._tracing = tracing
        self._is_remote = is_remote
        self._only = only

    def __getattr__(self, method: str) -> object:
        attribute = getattr(self._inner, method)
        is_part = self._only is None or method in self._only
        if not is_part or not inspect.iscoroutinefunction(attribute):
            return attribute
        call = cast("Callable[..., Awaitable[object]]", attribute)
        part = f"{self._name}.{method}"

        async def traced(*arguments: object, **named: object) -> object:
            with self._tracing.part(part, is_remote=self._is_remote):
                return await call(*arguments, **named)

        setattr(self, method, traced)  # found without this detour from now on
        return traced


def traced_faces(faces: FaceAnalyzer, tracing: Tracing) -> FaceAnalyzer:
    """Inference, each call a part."""
    port = TracedPort("inference", faces, tracing, is_remote=True, only=_ASKING)
    return cast("FaceAnalyzer", port)


def traced_connect(connect: Connect, tracing: Tracing) -> Connect:
    """As `connect`; each call to what it connects to is a part."""
    return lambda target: traced_faces(connect(target), tracing)


def traced_stores(stores: Stores, tracing: Tracing) -> Stores:
    """The stores, each call a part."""
    return replace(
        stores,
        vectors=cast("VectorStore", TracedPort("vectors", stores.vectors, tracing)),
        records=cast("RecordStore", TracedPort("records", stores.records, tracing)),
        photos=cast("PhotoStore", TracedPort("photos", stores.photos, tracing)),
    )
