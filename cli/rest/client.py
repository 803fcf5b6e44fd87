"""Calls to a running edge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ValidationError

from cli.errors import CommandError, UsageError
from cli.rest.answers import Enrolled, Found, PhotoPage, PhotoRow, Problem

Answer = TypeVar("Answer", bound=BaseModel)

_PAGE = 1000
_TIMEOUT_SECONDS = 30.0
"""The server's own longest deadline."""
_SLACK_SECONDS = 5.0
"""For the way there and back."""
_UNAUTHORIZED = 401
_NEW_KEY = "make one where the service runs: `facesearch keys create NAME`"


class ServiceAway(CommandError):
    """Nobody answers, or the connection broke: the same call may work in a moment."""


class Refused(CommandError):
    """The service answered with an error."""

    def __init__(self, status: int, problem: Problem, retry_after_seconds: float | None) -> None:
        said = problem.detail or problem.title or "no reason given"
        super().__init__(
            f"the service answered {status} {problem.code}: {said}".replace(" :", ":"),
            _NEW_KEY if status == _UNAUTHORIZED else "",
        )
        self.status = status
        self.code = problem.code
        self.reason = said
        self.retry_after_seconds = retry_after_seconds
        """As the service asks; None: it did not."""


class EdgeClient:
    """One edge, one key. Every call may raise ServiceAway or Refused."""

    def __init__(
        self, url: str, key: str, *, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._http = httpx2.AsyncClient(
            base_url=self.url,
            headers={"X-Api-Key": key, "X-Request-Timeout": str(int(_TIMEOUT_SECONDS))},
            timeout=_TIMEOUT_SECONDS + _SLACK_SECONDS,
            transport=transport,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def put_photo(self, photo_id: str, collection_id: str | None, image: bytes) -> Enrolled:
        """Enrol a photo with all its faces. Safe to repeat."""
        response = await self._send(
            "PUT",
            photo_path(photo_id),
            params=_named(collection_id),
            files={"image": ("image", image, "application/octet-stream")},
        )
        return _checked(Enrolled, response)

    async def photos(self, collection_id: str | None) -> AsyncIterator[PhotoRow]:
        """Every photo of the collection; None: those in no collection."""
        cursor: str | None = None
        while True:
            query = {"collection_id": collection_id or "", "limit": str(_PAGE)}
            if cursor is not None:
                query["cursor"] = cursor
            page = _checked(PhotoPage, await self._send("GET", "/embed_status/", params=query))
            for row in page.items:
                yield row
            cursor = page.next_cursor
            if cursor is None:
                return

    async def search(
        self, selfie: bytes, *, collections: tuple[str, ...], top_k: int, threshold: str | None
    ) -> tuple[Found, object]:
        """Photos of the person on the selfie: checked, and as the service wrote it."""
        form: dict[str, str | list[str]] = {"top_k": str(top_k)}
        if collections:
            form["collection_id"] = list(collections)
        if threshold is not None:
            form["score_threshold"] = threshold
        files = {"image": ("selfie", selfie, "application/octet-stream")}
        response = await self._send("POST", "/search/", data=form, files=files)
        return _checked(Found, response), response.json()

    async def image(self, photo_id: str, collection_id: str | None) -> bytes:
        """The bytes of a photo, as they were enrolled."""
        query = {"collection_id": collection_id or ""}
        response = await self._send("GET", f"{photo_path(photo_id)}/image", params=query)
        return response.content

    async def check_key(self) -> None:
        """Return if the service is there and takes the key."""
        await self._send("GET", "/embed_status/", params={"limit": "1"})

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        data: Mapping[str, str | list[str]] | None = None,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
    ) -> httpx2.Response:
        try:
            response = await self._http.request(method, path, params=params, data=data, files=files)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise UsageError(
                f"{self.url} is no address of a service: {error}",
                "give one such as http://127.0.0.1:8000",
            ) from None
        except httpx2.RequestError as error:
            said = str(error) or type(error).__name__
            raise ServiceAway(
                f"no service answers at {self.url}: {said}",
                "start one with `facesearch up`, or name another with --url",
            ) from error
        if response.is_success:
            return response
        raise Refused(response.status_code, _problem(response), _retry_after(response))


def photo_path(photo_id: str) -> str:
    """The path of a photo, its id percent-encoded whole; also "." and "..", which tidiers drop."""
    encoded = quote(photo_id, safe="")
    return "/photos/" + (encoded.replace(".", "%2E") if photo_id in (".", "..") else encoded)


def _named(collection_id: str | None) -> dict[str, str]:
    return {} if not collection_id else {"collection_id": collection_id}


def _checked(kind: type[Answer], response: httpx2.Response) -> Answer:
    try:
        return kind.model_validate_json(response.content)
    except ValidationError:
        raise CommandError(
            f"{response.request.url} answered, but not as facesearch does",
            "check --url: it takes the address of the edge, such as http://127.0.0.1:8000",
        ) from None


def _problem(response: httpx2.Response) -> Problem:
    try:
        return Problem.model_validate_json(response.content)
    except ValidationError:  # a proxy's page, or another service
        return Problem(title=response.reason_phrase)


def _retry_after(response: httpx2.Response) -> float | None:
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return None
