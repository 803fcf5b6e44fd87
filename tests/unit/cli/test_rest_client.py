"""What the client sends and what it makes of answers."""

from __future__ import annotations

from urllib.parse import unquote

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.errors import CommandError
from cli.rest.client import EdgeClient, Refused, ServiceAway, photo_path

URL = "http://edge.test"


def client(answer: httpx2.Response | Exception, seen: list[httpx2.Request]) -> EdgeClient:
    def handle(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return EdgeClient(URL, "secret", transport=httpx2.MockTransport(handle))


@given(st.text(min_size=1).filter(lambda text: max(text) < "\ud800" or min(text) > "\udfff"))
def test_an_id_is_one_segment_of_the_path_and_comes_back_whole(photo_id: str) -> None:
    path = photo_path(photo_id)
    request = httpx2.Request("GET", URL + path)
    assert request.url.raw_path.decode() == path
    assert path.count("/") == 2
    assert unquote(path.removeprefix("/photos/")) == photo_id


@pytest.mark.parametrize("photo_id", [".", ".."])
def test_ids_that_look_like_folders_survive(photo_id: str) -> None:
    assert httpx2.Request("GET", URL + photo_path(photo_id)).url.raw_path.startswith(b"/photos/%2E")


async def test_a_put_carries_key_image_and_collection() -> None:
    seen: list[httpx2.Request] = []
    answer = httpx2.Response(200, json={"photo_id": "a/b", "status": "no_faces", "faces": []})
    async with client(answer, seen) as edge:
        enrolled = await edge.put_photo("a/b", "c d", b"bytes of the photo")
    (request,) = seen
    assert request.method == "PUT"
    assert request.url.raw_path.startswith(b"/photos/a%2Fb?")
    assert request.url.params["collection_id"] == "c d"
    assert request.headers["X-Api-Key"] == "secret"
    assert b"bytes of the photo" in request.content
    assert enrolled.faces == ()


async def test_pages_are_followed_to_the_end() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        cursor = request.url.params.get("cursor")
        name = {None: "1", "p2": "2"}[cursor]
        row = {"photo_id": name, "collection_id": "", "sha256": "0", "status": "indexed"}
        return httpx2.Response(
            200, json={"items": [row], "next_cursor": None if cursor else "p2", "total": 2}
        )

    async with EdgeClient(URL, "k", transport=httpx2.MockTransport(handle)) as edge:
        assert [row.photo_id async for row in edge.photos("c")] == ["1", "2"]


async def test_a_problem_keeps_its_code_reason_and_retry_after() -> None:
    problem = {"title": "Busy", "detail": "the queue is full", "code": "overloaded"}
    answer = httpx2.Response(429, json=problem, headers={"Retry-After": "2"})
    async with client(answer, []) as edge:
        with pytest.raises(Refused, match="429 overloaded: the queue is full") as caught:
            await edge.check_key()
    assert (caught.value.status, caught.value.code) == (429, "overloaded")
    assert caught.value.retry_after_seconds == 2


async def test_a_page_of_a_proxy_is_a_refusal_too() -> None:
    async with client(httpx2.Response(502, text="<html>Bad gateway"), []) as edge:
        with pytest.raises(Refused, match="502"):
            await edge.check_key()


async def test_nobody_answering_says_what_to_do() -> None:
    async with client(httpx2.ConnectError("refused"), []) as edge:
        with pytest.raises(ServiceAway) as caught:
            await edge.check_key()
    assert "facesearch up" in caught.value.todo


async def test_another_service_is_told_from_ours() -> None:
    async with client(httpx2.Response(200, text="<html>welcome"), []) as edge:
        with pytest.raises(CommandError, match="not as facesearch does"):
            await edge.put_photo("a", None, b"x")
