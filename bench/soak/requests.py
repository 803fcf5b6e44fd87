"""The bytes of what is sent, no photo twice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from urllib.parse import quote

from bench.kit.copies import copy_of
from bench.kit.http_calls import Request
from bench.load.requests import Selfie


class Requests:
    """Builds whole requests. Each photo differs from any other in its comment."""

    def __init__(self, probes: Sequence[Selfie], api_key: str) -> None:
        self._probes = probes
        self._api_key = api_key
        self._marks = itertools.count()

    def photo(self, probe: int) -> bytes:
        """A new copy of a probe's photo."""
        return copy_of(self._probes[probe].data, next(self._marks))

    def search(self, probe: int, collection: str, top_k: int) -> bytes:
        """Who is this, in one collection."""
        path = f"/search/?collection_id={collection}&top_k={top_k}"
        return self._with_photo("POST", path, self.photo(probe))

    def detect(self, probe: int) -> bytes:
        """The faces of a photo that is not kept."""
        return self._with_photo("POST", "/detect_faces/?keep=false", self.photo(probe))

    def enrol(self, photo_id: str, collection: str, photo: bytes) -> bytes:
        """Into the base."""
        path = f"/photos/{quote(photo_id, safe='')}?collection_id={collection}"
        return self._with_photo("PUT", path, photo)

    def remove(self, photo_id: str, collection: str) -> bytes:
        """Out of the base."""
        return (
            f"DELETE /remove/{quote(photo_id, safe='')}?collection_id={collection} HTTP/1.1\r\n"
            f"Host: localhost\r\nX-Api-Key: {self._api_key}\r\n\r\n"
        ).encode()

    def _with_photo(self, method: str, path: str, photo: bytes) -> bytes:
        return Request.with_photo(method, path, photo, api_key=self._api_key).data
