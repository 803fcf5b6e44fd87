"""Who may do what: keys, scopes, collections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import httpx2
import pytest

from edge.keys import KeyRing, Scope, digest_of
from storage.errors import RecordsUnavailable
from storage.records.memory import MemoryRecordStore
from storage.records.model import ApiKey
from tests.unit.edge.fakes import photo_of
from tests.unit.edge.http.asgi import exchange
from tests.unit.edge.http.conftest import Edge, form

Call = Callable[[httpx2.AsyncClient, Mapping[str, str]], Awaitable[httpx2.Response]]

CALLS: dict[str, tuple[Scope, Call]] = {
    "search": (
        Scope.SEARCH,
        lambda client, key: client.post("/search/", headers=key, files=form(photo_of("anna"))),
    ),
    "preview": (
        Scope.SEARCH,
        lambda client, key: client.post(
            "/detect_faces/", headers=key, files=form(photo_of("anna"), keep="false")
        ),
    ),
    "list": (Scope.SEARCH, lambda client, key: client.get("/embed_status/", headers=key)),
    "record": (Scope.SEARCH, lambda client, key: client.get("/photos/there", headers=key)),
    "bytes": (Scope.SEARCH, lambda client, key: client.get("/photos/there/image", headers=key)),
    "detect": (
        Scope.ENROL,
        lambda client, key: client.post(
            "/detect_faces/", headers=key, files=form(photo_of("anna"), photo_id="new")
        ),
    ),
    "put": (
        Scope.ENROL,
        lambda client, key: client.put("/photos/new", headers=key, files=form(photo_of("anna"))),
    ),
    "add": (
        Scope.ENROL,
        lambda client, key: client.put(
            "/add_face/", headers=key, params={"photo_id": "there", "bbox": "0,50,100,100"}
        ),
    ),
    "remove": (Scope.ENROL, lambda client, key: client.delete("/remove/there", headers=key)),
    "remove_all": (Scope.ADMIN, lambda client, key: client.delete("/remove_all/", headers=key)),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("scope", Scope)
async def test_a_call_needs_its_scope(edge: Edge, name: str, scope: Scope) -> None:
    await edge.put("there", "anna")
    needed, call = CALLS[name]
    answer = await call(edge.client, await edge.key("k", scope))
    if scope is needed:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert needed in answer.json()["detail"]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("key", [None, "", "wrong", "the-main-ke"])
async def test_no_call_works_without_a_good_key(edge: Edge, name: str, key: str | None) -> None:
    del edge.client.headers["X-Api-Key"]
    answer = await CALLS[name][1](edge.client, {} if key is None else {"X-Api-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert not edge.faces.calls


async def test_who_calls_is_settled_before_the_body_is_read(edge: Edge) -> None:
    seen = await exchange(
        edge.app,
        "POST",
        "/search/",
        headers={"Content-Length": "300000", "Content-Type": "multipart/form-data; boundary=b"},
        chunks=[b"x" * 100_000] * 3,
    )
    assert seen.status == 401
    assert seen.events.index("body") < seen.events.index("read 100000")


async def test_two_keys_at_once_are_none(edge: Edge) -> None:
    answer = await edge.client.get(
        "/embed_status/", headers=[("X-Api-Key", "the-main-key"), ("X-Api-Key", "other")]
    )
    assert answer.status_code == 401


async def test_a_key_with_collections_searches_and_lists_its_own(edge: Edge) -> None:
    for collection_id in (None, "a", "b", "c"):
        await edge.put("photo", "anna", collection_id=collection_id)
    key = await edge.key("k", Scope.SEARCH, collections=frozenset({"a", "b"}))
    found = await edge.client.post("/search/", headers=key, files=form(photo_of("anna", shot=1)))
    assert {match["collection_id"] for match in found.json()["results"]} == {"a", "b"}
    listed = (await edge.client.get("/embed_status/", headers=key)).json()
    assert ({item["collection_id"] for item in listed["items"]}, listed["total"]) == ({"a", "b"}, 2)


@pytest.mark.parametrize("collection_id", ["c", ""])
async def test_a_key_with_collections_may_not_search_or_list_others(
    edge: Edge, collection_id: str
) -> None:
    key = await edge.key("k", Scope.SEARCH, collections=frozenset({"a"}))
    answers = [
        await edge.client.post(
            "/search/", headers=key, files=form(photo_of("anna"), collection_id=collection_id)
        ),
        await edge.client.get(
            "/embed_status/",
            headers=key,
            params=[("collection_id", "a"), ("collection_id", collection_id)],
        ),
        await edge.client.get(
            "/photos/photo", headers=key, params={"collection_id": collection_id}
        ),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]


@pytest.mark.parametrize(
    ("collection_id", "status"), [("a", 200), ("c", 403), ("", 403), (None, 403)]
)
async def test_a_key_with_collections_writes_to_its_own_only(
    edge: Edge, collection_id: str | None, status: int
) -> None:
    key = await edge.key("k", Scope.ENROL, collections=frozenset({"a"}))
    files = form(photo_of("anna"), collection_id=collection_id)
    put = await edge.client.put("/photos/p", headers=key, files=files)
    detected = await edge.client.post(
        "/detect_faces/",
        headers=key,
        files=form(photo_of("bob"), photo_id="q", collection_id=collection_id),
    )
    assert (put.status_code, detected.status_code) == (status, status)
    if status == 403:
        assert not edge.faces.calls


async def test_a_key_for_no_collection_writes_there(edge: Edge) -> None:
    key = await edge.key("k", Scope.ENROL, collections=frozenset({""}))
    put = await edge.client.put("/photos/p", headers=key, files=form(photo_of("anna")))
    assert put.status_code == 200


async def test_a_key_with_collections_sees_and_removes_only_its_photo_of_a_name(edge: Edge) -> None:
    await edge.put("photo", "anna", collection_id="a")
    await edge.put("photo", "anna", collection_id="c")
    key = await edge.key("k", Scope.SEARCH, Scope.ENROL, collections=frozenset({"a"}))
    seen = await edge.client.get("/photos/photo", headers=key)
    assert seen.json()["collection_id"] == "a"
    assert (await edge.client.delete("/remove/photo", headers=key)).status_code == 200
    assert (await edge.client.delete("/remove/photo", headers=key)).status_code == 404
    left = (await edge.client.get("/photos/photo")).json()
    assert left["collection_id"] == "c"


async def test_a_face_may_not_be_carried_into_a_foreign_collection(edge: Edge) -> None:
    await edge.put("photo", "anna", collection_id="a")
    face = (await edge.client.get("/photos/photo")).json()["faces"][0]["face_id"]
    key = await edge.key("k", Scope.ENROL, collections=frozenset({"a"}))
    answer = await edge.client.put(
        "/add_face/", headers=key, files=form(face_id=face, collection_id="c")
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_a_face_of_a_foreign_collection_may_not_be_added(edge: Edge) -> None:
    await edge.put("photo", "anna", collection_id="c")
    face = (await edge.client.get("/photos/photo")).json()["faces"][0]["face_id"]
    key = await edge.key("k", Scope.ENROL, collections=frozenset({"a"}))
    answer = await edge.client.put("/add_face/", headers=key, files=form(face_id=face))
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("collection_id", [None, "a"])
async def test_a_key_with_collections_may_not_remove_all(
    edge: Edge, collection_id: str | None
) -> None:
    await edge.put("photo", "anna", collection_id="a")
    key = await edge.key("k", *Scope, collections=frozenset({"a"}))
    params = {} if collection_id is None else {"collection_id": collection_id}
    answer = await edge.client.delete("/remove_all/", headers=key, params=params)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await edge.client.get("/embed_status/")).json()["total"] == 1


def _stored(secret: str) -> ApiKey:
    return ApiKey(
        secret, digest_of(secret.encode()), frozenset({"search"}), None, datetime.now(UTC)
    )


async def test_a_revoked_key_opens_nothing_once_the_cache_is_old() -> None:
    records = MemoryRecordStore()
    await records.add_key(_stored("guests"))
    ring = KeyRing(None, records, cache_seconds=0)
    assert (await ring.caller(b"guests")) is not None
    await records.revoke_key("guests")
    assert (await ring.caller(b"guests")) is None
    assert await ring.is_empty()


async def test_keys_are_not_looked_up_at_every_call() -> None:
    class Counting(MemoryRecordStore):
        reads = 0

        async def keys(self) -> list[ApiKey]:
            self.reads += 1
            return list(await super().keys())

    records = Counting()
    await records.add_key(_stored("guests"))
    ring = KeyRing(None, records)
    for _ in range(5):
        assert await ring.caller(b"guests")
        assert await ring.caller(b"wrong") is None
    assert records.reads == 1


async def test_the_key_of_the_environment_works_without_the_records() -> None:
    class Away(MemoryRecordStore):
        async def keys(self) -> list[ApiKey]:
            raise RecordsUnavailable("away")

    ring = KeyRing("main", Away())
    caller = await ring.caller(b"main")
    assert caller is not None
    assert caller.scopes == frozenset(Scope)
    with pytest.raises(RecordsUnavailable):
        await ring.caller(b"other")
