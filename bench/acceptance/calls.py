"""Calls to the service over HTTP or HTTPS, each written down."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ValidationError

from bench.acceptance.answers import Problem
from bench.acceptance.operations import Operation

Kind = TypeVar("Kind", bound=BaseModel)
Texts = Mapping[str, str | Sequence[str]]
Part = tuple[str, tuple[str | None, bytes]]

_TIMEOUT_SECONDS = 60.0
_FIRST_ERROR = 400


class CallFailed(Exception):
    """No answer came, or one that is not the documented one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    media_type: str

    @property
    def code(self) -> str:
        """Of an error; empty if it is none, or not one of ours."""
        if self.status < _FIRST_ERROR:
            return ""
        try:
            return Problem.model_validate_json(self.body).code
        except ValidationError:
            return ""

    @property
    def said(self) -> str:
        """Status and code, such as "422 too_many_faces"."""
        return f"{self.status} {self.code}".rstrip()

    def read(self, kind: type[Kind]) -> Kind:
        """The body as the documented JSON. Raises CallFailed."""
        try:
            return kind.model_validate_json(self.body)
        except ValidationError as error:
            shown = self.body[:200].decode("utf-8", "replace")
            raise CallFailed(f"{self.said}, not the documented JSON: {shown}") from error


@dataclass(frozen=True, slots=True)
class Called:
    """One call."""

    operation: Operation
    said: str
    seconds: float


class Calls:
    """One service, one key."""

    def __init__(self, http: httpx2.Client, key: str) -> None:
        self._http = http
        self.key_header = {"X-Api-Key": key}
        self.log: list[Called] = []

    def __call__(
        self,
        operation: Operation,
        *,
        photo_id: str = "",
        query: Texts | None = None,
        fields: Texts | None = None,
        image: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask, whatever comes. Raises CallFailed if nothing does.

        photo_id: for the path. fields, image: of the form. headers: instead of the key's.
        """
        path = operation.path.replace("{photo_id}", quote(photo_id, safe=""))
        begun = time.perf_counter()
        try:
            response = self._http.request(
                operation.method,
                path,
                params=query,
                files=_form(fields or {}, image),
                headers=self.key_header if headers is None else headers,
            )
        except httpx2.HTTPError as error:
            raise CallFailed(f"no answer: {error!r}") from error
        media_type = response.headers.get("Content-Type", "").partition(";")[0]
        answer = Answer(response.status_code, response.content, media_type)
        self.log.append(Called(operation, answer.said, time.perf_counter() - begun))
        return answer


def _form(fields: Texts, image: bytes | None) -> list[Part] | None:
    """The parts of a multipart body, also where no file is among them; None: no body."""
    parts: list[Part] = [
        (name, (None, value.encode()))
        for name, values in fields.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    if image is not None:
        parts.append(("image", ("photo", image)))
    return parts or None


@contextmanager
def calls_to(url: str, key: str) -> Iterator[Calls]:
    """Calls to the service at this address."""
    with httpx2.Client(base_url=url.rstrip("/"), timeout=_TIMEOUT_SECONDS) as http:
        yield Calls(http, key)
