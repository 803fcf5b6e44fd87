"""What operators see: probes, figures, logs, documentation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from edge.app import create_app
from edge.backend import Backend
from edge.errors import InferenceUnavailable
from edge.settings import EdgeSettings
from storage.errors import PhotosUnavailable, RecordsUnavailable, VectorsUnavailable
from storage.identity import SpaceId
from storage.open import Stores
from storage.photos.memory import MemoryPhotoStore
from storage.records.memory import MemoryRecordStore
from storage.records.model import Space, SpaceState
from storage.vectors.memory import MemoryVectorStore
from tests.unit.edge.fakes import MODEL, FakeFaceAnalyzer
from tests.unit.edge.http.conftest import KEY, Edge, MakeEdge


@pytest.mark.parametrize("path", ["/ping", "/livez", "/readyz", "/metrics", "/docs"])
async def test_probes_and_documentation_need_no_key(edge: Edge, path: str) -> None:
    del edge.client.headers["X-Api-Key"]
    assert (await edge.client.get(path)).status_code == 200
    assert (await edge.client.head(path)).status_code == 200


async def test_ping_touches_nothing(edge: Edge) -> None:
    answer = await edge.client.get("/ping")
    assert set(answer.json()) == {"status", "version"}
    assert not edge.faces.calls


class AwayVectors(MemoryVectorStore):
    async def ping(self) -> None:
        raise VectorsUnavailable("milvus-7:19530 refused")

    async def open_space(self, space: SpaceId, dim: int) -> None:
        await self.ping()


class AwayRecords(MemoryRecordStore):
    async def ping(self) -> None:
        raise RecordsUnavailable("psycopg: no route to host")

    async def spaces(self) -> Sequence[Space]:
        await self.ping()
        return []


class AwayPhotos(MemoryPhotoStore):
    async def ping(self) -> None:
        raise PhotosUnavailable("/mnt/photos: stale")


@pytest.mark.parametrize("away", ["inference", "vectors", "records", "photos"])
async def test_readyz_names_what_is_away_and_tells_nothing_of_the_machine(
    make_edge: MakeEdge, away: str
) -> None:
    stores = Stores(
        AwayVectors() if away == "vectors" else MemoryVectorStore(),
        AwayRecords() if away == "records" else MemoryRecordStore(),
        AwayPhotos() if away == "photos" else MemoryPhotoStore(),
    )
    # A base that somebody uses: to compare its space with the model's, its records are read.
    await stores.records.add_space(
        Space(MODEL.space_id, MODEL.pack, MODEL.version, MODEL.dim, SpaceState.ACTIVE)
    )
    faces = FakeFaceAnalyzer(
        errors=[InferenceUnavailable("10.0.0.7 refused")] if away == "inference" else []
    )
    edge = make_edge(stores=stores, faces=faces)
    answer = await edge.client.get("/readyz")
    states = {name: part["state"] for name, part in answer.json()["dependencies"].items()}
    assert answer.status_code == 503
    assert states == dict.fromkeys(("inference", "vectors", "records", "photos"), "ok") | {
        away: "unavailable"
    }
    assert away in answer.json()["detail"]
    for word in ("milvus", "psycopg", "/mnt", "10.0.0.7"):
        assert word not in answer.text


async def test_probes_ask_the_stores_once_a_second_at_most(edge: Edge) -> None:
    for _ in range(20):
        assert (await edge.client.get("/readyz")).status_code == 200
    assert edge.faces.calls.count("ping") == 1


async def test_a_draining_edge_answers_but_is_not_ready(edge: Edge) -> None:
    edge.backend.drain()
    answer = await edge.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "draining")
    assert (await edge.client.get("/livez")).status_code == 200
    assert (await edge.search("anna")).status_code == 200


async def test_a_draining_edge_ends_every_connection_with_its_answer(edge: Edge) -> None:
    assert "connection" not in (await edge.client.get("/livez")).headers
    edge.backend.drain()
    for answer in (
        await edge.client.get("/livez"),
        await edge.client.get("/no/such/path"),
        await edge.search("ann"),
    ):
        assert answer.headers["connection"] == "close"


async def test_an_edge_lives_before_its_stores_are_open() -> None:
    backend = Backend()
    backend.progress = "500 of 1000 faces are in memory"
    app = create_app(EdgeSettings(api_key=SecretStr(KEY)), backend)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://edge", headers={"X-Api-Key": KEY}
    ) as client:
        assert (await client.get("/livez")).status_code == 200
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "starting")
        assert ready.json()["detail"] == "500 of 1000 faces are in memory"
        answer = await client.get("/embed_status/")
        assert (answer.status_code, answer.json()["code"]) == (503, "records_unavailable")


async def test_figures_are_counted_by_route_and_code(edge: Edge) -> None:
    await edge.put("p", "anna")
    await edge.search("anna")
    await edge.search("anna", "bob")
    await edge.client.get("/photos/p", headers={"X-Api-Key": "wrong"})
    await edge.client.request("BREW", "/coffee/the-pot-of-anna")
    text = (await edge.client.get("/metrics")).text
    for line in (
        'request_seconds_count{method="POST",route="/search/",status="200"} 1.0',
        'request_seconds_count{method="GET",route="/photos/{photo_id}",status="401"} 1.0',
        'request_seconds_count{method="other",route="other",status="404"} 1.0',
        'facesearch_edge_errors_total{code="too_many_faces"} 1.0',
        'facesearch_edge_refused_total{code="unauthorized"} 1.0',
        'facesearch_edge_stage_seconds_count{route="/search/",stage="inference"} 2.0',
        "facesearch_edge_photos_enrolled_total 1.0",
        "facesearch_edge_faces_indexed_total 1.0",
        "facesearch_edge_search_results_count 1.0",
        "facesearch_edge_requests_in_flight 1.0",
    ):
        assert line in text
    assert "anna" not in text


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as captured:
        yield captured


async def test_a_request_is_one_line_without_keys_or_bytes(edge: Edge, lines: list[Any]) -> None:
    answer = await edge.put("p", "anna")
    [line] = [entry for entry in lines if entry["event"] == "request"]
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert (line["route"], line["status"], line["faces"]) == ("/photos/", 200, 1)
    assert KEY not in json.dumps(lines)


async def test_a_bug_is_logged_with_its_request(make_edge: MakeEdge, lines: list[Any]) -> None:
    edge = make_edge(faces=FakeFaceAnalyzer(errors=[RuntimeError("boom")]))
    answer = await edge.search("anna")
    [line] = [entry for entry in lines if entry["event"] == "internal error"]
    assert line["request_id"] == answer.json()["request_id"]
    assert line["exc_info"]


async def test_every_operation_documents_its_errors_with_examples(edge: Edge) -> None:
    document = (await edge.client.get("/openapi.json")).json()
    ids = []
    for methods in document["paths"].values():
        for operation in methods.values():
            ids.append(operation["operationId"])
            for status, answer in operation["responses"].items():
                if int(status) >= 400 and "application/problem+json" in answer["content"]:
                    content = answer["content"]["application/problem+json"]
                    for code, example in content["examples"].items():
                        assert example["value"]["code"] == code
            if "security" in operation:
                assert {"400", "401", "403", "413", "429", "503", "504"} <= set(
                    operation["responses"]
                )
    assert len(ids) == len(set(ids))
    assert {
        "search",
        "detect_faces",
        "add_face",
        "embed_status",
        "remove",
        "remove_all",
        "ping",
    } <= (set(ids))
    upload = document["paths"]["/search/"]["post"]["requestBody"]["content"]
    assert upload["multipart/form-data"]["schema"]["properties"]["image"]["format"] == "binary"


async def test_the_documentation_needs_no_network(edge: Edge) -> None:
    page = (await edge.client.get("/docs")).text
    assert "<script" not in page
    assert "http://" not in page.replace("http://www", "")
    for word in ("/search/", "too_many_faces", "curl", "top_k", "top_k: must be a whole number"):
        assert word in page


async def test_an_enrolment_tells_how_long_it_waited_for_inference(
    edge: Edge, lines: list[Any]
) -> None:
    await edge.put("p", "anna")
    [line] = [entry for entry in lines if entry["event"] == "request"]
    assert set(line["stages"]) == {"inference"}


async def test_a_browser_at_the_bare_address_is_led_to_the_documentation(edge: Edge) -> None:
    del edge.client.headers["X-Api-Key"]
    answer = await edge.client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/docs")
