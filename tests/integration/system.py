"""The whole service for tests: both processes on a data folder, and a client that knows the key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from tests.integration.processes import Running, start, start_inference

KEY = "a-key-for-tests"
Json = dict[str, Any]


class Client:
    """The REST interface as a test says it."""

    def __init__(self, url: str, key: str = KEY) -> None:
        self.http = httpx2.Client(base_url=url, headers={"X-Api-Key": key}, timeout=60)

    def put_photo(self, photo_id: str, image: bytes, collection: str | None = None) -> Json:
        """Enrol a photo; it must work."""
        answer = self.http.put(
            f"/photos/{quote(photo_id, safe='')}",
            files={"image": image},
            data=_collection(collection),
        )
        assert answer.status_code == 200, answer.text
        return json_of(answer)

    def detect(self, image: bytes) -> Json:
        """Faces of an image that is not kept; it must work."""
        answer = self.http.post("/detect_faces/", files={"image": image}, data={"keep": "false"})
        assert answer.status_code == 200, answer.text
        return json_of(answer)

    def try_search(
        self, image: bytes, collections: Sequence[str] = (), **fields: object
    ) -> httpx2.Response:
        """Search; whatever comes."""
        data = {name: str(value) for name, value in fields.items()}
        return self.http.post(
            "/search/",
            files={"image": image},
            data={**data, "collection_id": list(collections)} if collections else data,
        )

    def search(self, image: bytes, collections: Sequence[str] = (), **fields: object) -> Json:
        """Search; it must work."""
        answer = self.try_search(image, collections, **fields)
        assert answer.status_code == 200, answer.text
        return json_of(answer)

    def listing(self, **query: str) -> list[Json]:
        """Every photo, all pages of /embed_status/."""
        items: list[Json] = []
        cursor: str | None = None
        while True:
            page = self.http.get(
                "/embed_status/",
                params={**query, "limit": "1000", **({"cursor": cursor} if cursor else {})},
            )
            assert page.status_code == 200, page.text
            items += page.json()["items"]
            cursor = page.json()["next_cursor"]
            if cursor is None:
                return items


def json_of(answer: httpx2.Response) -> Json:
    """The body of an answer, an object."""
    body = answer.json()
    assert isinstance(body, dict)
    return body


def _collection(collection: str | None) -> dict[str, str]:
    return {} if collection is None else {"collection_id": collection}


@contextmanager
def client_of(edge: Running, key: str = KEY) -> Iterator[Client]:
    """A client of this edge, closed at the end."""
    client = Client(edge.url, key)
    with client.http:
        yield client


@dataclass(frozen=True)
class System:
    """Both processes, serving."""

    inference: Running
    edge: Running
    client: Client


def edge_environment(data: Path, inference: str, **settings: str) -> dict[str, str]:
    """Settings of an edge on a free port; `settings` with their prefixes."""
    return {
        "API_KEY": KEY,
        "EDGE_PORT": "0",
        "EDGE_INFERENCE_TARGETS": inference,
        "STORAGE_DATA_DIR": str(data),
    } | settings


@contextmanager
def start_edge(data: Path, inference: str, **settings: str) -> Iterator[Running]:
    """An edge on this data folder, serving."""
    with start("edge", edge_environment(data, inference, **settings)) as edge:
        yield edge


@contextmanager
def start_system(data: Path, pack: Path, **settings: str) -> Iterator[System]:
    """Inference with two sessions and an edge in front of it, on this data folder."""
    with (
        start_inference(pack, SESSIONS="2") as inference,
        start_edge(data, inference.address, **settings) as edge,
        client_of(edge) as client,
    ):
        yield System(inference, edge, client)
