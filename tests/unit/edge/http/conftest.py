"""The whole application over stores in memory and a scripted inference."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2
import pytest
from fastapi import FastAPI

from edge.app import create_app
from edge.backend import Backend
from edge.keys import Scope, digest_of
from edge.services import build_services
from edge.settings import EdgeSettings
from storage.open import Stores
from storage.photos.memory import MemoryPhotoStore
from storage.records.memory import MemoryRecordStore
from storage.records.model import ApiKey
from storage.vectors.memory import MemoryVectorStore
from tests.unit.edge.fakes import FakeFaceAnalyzer, photo_of

KEY = "the-main-key"
AUTH = {"X-Api-Key": KEY}
Part = tuple[str, tuple[str | None, bytes | str]]


@dataclass
class Edge:
    """One edge and all that a test may look at behind it."""

    app: FastAPI
    settings: EdgeSettings
    stores: Stores
    faces: FakeFaceAnalyzer
    backend: Backend
    client: httpx2.AsyncClient

    async def key(
        self, name: str, *scopes: Scope, collections: frozenset[str] | None = None
    ) -> dict[str, str]:
        """The header of a stored key."""
        secret = f"secret of {name}"
        await self.stores.records.add_key(
            ApiKey(
                name=name,
                sha256=digest_of(secret.encode()),
                scopes=frozenset(scopes),
                collections=collections,
                created_at=datetime.now(UTC),
            )
        )
        return {"X-Api-Key": secret}

    async def put(
        self, photo_id: str, *people: str, shot: int = 0, collection_id: str | None = None
    ) -> httpx2.Response:
        """Enrol a photo of these people."""
        return await self.client.put(
            "/photos/",
            params={"photo_id": photo_id},
            files=form(photo_of(*people, shot=shot), collection_id=collection_id),
        )

    async def search(self, *people: str, shot: int = 1, **fields: str | None) -> httpx2.Response:
        """Search with a selfie."""
        return await self.client.post(
            "/search/", files=form(photo_of(*people, shot=shot), **fields)
        )


def form(image: bytes | None = None, **fields: str | None) -> list[Part]:
    """Parts of a multipart body."""
    parts: list[Part] = [
        (name, (None, value)) for name, value in fields.items() if value is not None
    ]
    if image is not None:
        parts.append(("image", ("photo.jpg", image)))
    return parts


MakeEdge = Callable[..., Edge]


@pytest.fixture
async def make_edge() -> AsyncIterator[MakeEdge]:
    """Makes edges with settings of one's own."""
    clients: list[httpx2.AsyncClient] = []

    def make(
        *,
        faces: FakeFaceAnalyzer | None = None,
        stores: Stores | None = None,
        **changes: object,
    ) -> Edge:
        settings = EdgeSettings(**{"api_key": KEY, **changes})  # type: ignore[arg-type]
        stores = stores or Stores(MemoryVectorStore(), MemoryRecordStore(), MemoryPhotoStore())
        analyzer = faces or FakeFaceAnalyzer()
        services = build_services(settings, stores, analyzer, lambda _: FakeFaceAnalyzer())
        backend = Backend(services)
        app = create_app(settings, backend)
        client = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url="http://edge", headers=AUTH
        )
        clients.append(client)
        return Edge(app, settings, stores, analyzer, backend, client)

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def edge(make_edge: MakeEdge) -> Edge:
    """One edge as it comes."""
    return make_edge()
