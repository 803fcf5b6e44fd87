"""The bytes of a search, no two alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from bench.kit.copies import copy_of

_BOUNDARY = "--------------------------bench-of-facesearch"
CONTENT_TYPE = f"multipart/form-data; boundary={_BOUNDARY}"


@dataclass(frozen=True, slots=True)
class Selfie:
    """A probe and what must come of it."""

    data: bytes
    """A JPEG."""
    person: str
    """The first match must be a photo of this person: its photo_id begins with `person` and "/"."""


def form(selfie: bytes, top_k: int, collections: Sequence[str] = ()) -> list[bytes]:
    """The body of a search, in pieces, as CONTENT_TYPE says.

    collections: where to look; none: in the whole base.
    """
    fields = [("top_k", str(top_k)), *(("collection_id", name) for name in collections)]
    before = "".join(
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    ) + (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="selfie.jpg"'
        "\r\nContent-Type: image/jpeg\r\n\r\n"
    )
    return [before.encode(), selfie, f"\r\n--{_BOUNDARY}--\r\n".encode()]


class SearchRequests:
    """Builds whole requests `POST /search/` for one edge."""

    def __init__(
        self,
        url: str,
        api_key: str,
        selfies: Sequence[Selfie],
        top_ks: Sequence[int],
        timeout_seconds: float,
    ) -> None:
        """top_ks: taken in turns. timeout_seconds: the deadline each request asks for."""
        self._selfies = selfies
        self._top_ks = top_ks
        self._head = (
            f"POST /search/ HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nX-Api-Key: {api_key}\r\n"
            f"X-Request-Timeout: {timeout_seconds:g}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        )

    def parts(self, number: int, mark: int) -> list[bytes]:
        """The pieces of request `number`; written one after the other they are the request.

        mark: another one for every request that the edge ever gets: it knows a selfie again.
        """
        selfie = copy_of(self._selfies[number % len(self._selfies)].data, mark)
        body = form(selfie, self._top_ks[number % len(self._top_ks)])
        head = f"{self._head}Content-Length: {sum(map(len, body))}\r\n\r\n"
        return [head.encode(), *body]

    def is_right(self, number: int, body: bytes) -> bool:
        """Whether the first match of the answer is a photo of the person on the selfie."""
        person = self._selfies[number % len(self._selfies)].person
        # Not parsed: with top_k 50 that would cost a tenth of what the search costs.
        return body.startswith(f'{{"results":[{{"photo_id":"{person}/'.encode())
