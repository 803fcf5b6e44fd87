"""The bytes of a search, no two alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

_BOUNDARY = "--------------------------bench-of-facesearch"
_MARK_BYTES = 24
_START_OF_IMAGE = b"\xff\xd8"


@dataclass(frozen=True, slots=True)
class Selfie:
    """A probe and what must come of it."""

    data: bytes
    """A JPEG."""
    person: str
    """The first match must be a photo of this person: its photo_id begins with `person` and "/"."""


def marked(selfie: bytes, mark: str) -> tuple[bytes, bytes, memoryview]:
    """The JPEG with a comment that says `mark`, in three pieces.

    The edge remembers a selfie by its digest, so that the next page needs no inference. Under load
    every search must be a new one, without decoding and encoding a picture each time.

    mark: ASCII, at most 24 characters. Raises ValueError if the selfie is no JPEG.
    """
    if not selfie.startswith(_START_OF_IMAGE):
        raise ValueError("a selfie of the load test must be a JPEG")
    text = mark.encode("ascii").ljust(_MARK_BYTES)
    if len(text) > _MARK_BYTES:
        raise ValueError(f"the mark {mark!r} is longer than {_MARK_BYTES} characters")
    comment = b"\xff\xfe" + (2 + _MARK_BYTES).to_bytes(2, "big") + text
    return _START_OF_IMAGE, comment, memoryview(selfie)[2:]


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
        self._host = urlsplit(url).netloc
        self._api_key = api_key
        self._selfies = selfies
        self._top_ks = top_ks
        self._timeout_seconds = timeout_seconds

    def parts(self, number: int, mark: str) -> list[bytes | memoryview]:
        """The pieces of request `number`; written one after the other they are the request."""
        pieces = marked(self._selfies[number % len(self._selfies)].data, mark)
        before = self._form_before(self._top_ks[number % len(self._top_ks)])
        after = f"\r\n--{_BOUNDARY}--\r\n".encode()
        length = len(before) + sum(map(len, pieces)) + len(after)
        return [self._head(length) + before, *pieces, after]

    def is_right(self, number: int, body: bytes) -> bool:
        """Whether the first match of the answer is a photo of the person on the selfie."""
        person = self._selfies[number % len(self._selfies)].person
        # Not parsed: with top_k 50 that would cost a tenth of what the search costs.
        return body.startswith(f'{{"results":[{{"photo_id":"{person}/'.encode())

    def _head(self, length: int) -> bytes:
        return (
            f"POST /search/ HTTP/1.1\r\nHost: {self._host}\r\nX-Api-Key: {self._api_key}\r\n"
            f"X-Request-Timeout: {self._timeout_seconds:g}\r\n"
            f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
            f"Content-Length: {length}\r\n\r\n"
        ).encode()

    def _form_before(self, top_k: int) -> bytes:
        return (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="top_k"\r\n\r\n{top_k}\r\n'
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="selfie.jpg"'
            "\r\nContent-Type: image/jpeg\r\n\r\n"
        ).encode()
