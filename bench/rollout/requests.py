"""The bytes of what is sent."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from bench.kit.copies import copy_of
from bench.load.requests import Selfie

COLLECTION = "base"
"""What is searched, and does not change under the load."""
NEWCOMERS = "newcomers"
"""Where photos come in meanwhile."""
TIMEOUT_SECONDS = 10.0
_BOUNDARY = "photo-of-a-rehearsal"


class Requests:
    """Builds whole requests. No selfie is like another: the edge would know it again."""

    def __init__(
        self,
        selfies: Sequence[Selfie],
        api_key: str,
        *,
        first_mark: int = 0,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """first_mark: sets its selfies apart from those of others, who begin elsewhere."""
        self._selfies = selfies
        self._api_key = api_key
        self._first_mark = first_mark
        self._timeout_seconds = timeout_seconds

    def photo(self, number: int) -> bytes:
        """The photo of a request, always the same for its number."""
        selfie = self._selfies[number % len(self._selfies)]
        return copy_of(selfie.data, self._first_mark + number)

    def search(self, number: int, request_id: str) -> bytes:
        """Who is this, among the base."""
        path = f"/search/?collection_id={COLLECTION}"
        return self._with_photo("POST", path, self.photo(number), request_id)

    def enrol(self, photo: bytes, request_id: str, photo_id: str, collection: str) -> bytes:
        """Into the base. Made twice it is the same photo."""
        path = f"/photos/{quote(photo_id, safe='')}?collection_id={collection}"
        return self._with_photo("PUT", path, photo, request_id)

    def is_right(self, number: int, body: bytes) -> bool:
        """Whether the first match of a search's answer is a photo of the person on the selfie."""
        person = self._selfies[number % len(self._selfies)].person
        return body.startswith(f'{{"results":[{{"photo_id":"{person}/'.encode())

    def _with_photo(self, method: str, path: str, photo: bytes, request_id: str) -> bytes:
        body = b"".join(
            (
                f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; '
                'filename="photo.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'.encode(),
                photo,
                f"\r\n--{_BOUNDARY}--\r\n".encode(),
            )
        )
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: rehearsal\r\nX-Api-Key: {self._api_key}\r\n"
            f"X-Request-Id: {request_id}\r\nX-Request-Timeout: {self._timeout_seconds:g}\r\n"
            f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body
