"""Photos in, a selfie in, the right photo out: by the edge's own interface."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

import httpx2

from bench.kit.picture_source import PictureSource

_COLLECTION = "rehearsal"


class SearchFailed(Exception):
    """The edge answered something else than a search's result. Carries what it said."""


@dataclass(frozen=True, slots=True)
class Case:
    """Somebody who is put in, and looked for."""

    photo_id: str
    photo: bytes
    selfie: bytes
    """Another picture of the same person where there is one, else the same."""


def cases_of(source: PictureSource, count: int) -> list[Case]:
    """Different people, those with two pictures first. May be fewer than asked for."""
    by_person: dict[str, list[int]] = {}
    for number in range(len(source)):
        by_person.setdefault(source.person(number), []).append(number)
    people = sorted(by_person.items(), key=lambda one: (len(one[1]) == 1, one[0]))
    return [
        Case(name, source.encoded(numbers[0]), source.encoded(numbers[:2][-1]))
        for name, numbers in people[:count]
    ]


class Edge:
    """The edge as its callers see it."""

    def __init__(self, url: str, key: str) -> None:
        self._http = httpx2.Client(base_url=url, headers={"X-Api-Key": key}, timeout=30)

    def enrol(self, case: Case) -> bool:
        """Put a photo in; False: it shows no face. Raises SearchFailed."""
        answer = self._http.put(
            f"/photos/{quote(case.photo_id, safe='')}",
            files={"image": case.photo},
            data={"collection_id": _COLLECTION},
        )
        if answer.status_code not in {HTTPStatus.OK, HTTPStatus.UNPROCESSABLE_ENTITY}:
            raise SearchFailed(f"{case.photo_id}: {answer.status_code} {answer.text[:300]}")
        return answer.status_code == HTTPStatus.OK

    def finds(self, case: Case) -> bool:
        """Whether the person's photo comes first. Raises SearchFailed."""
        answer = self._http.post(
            "/search/",
            files={"image": case.selfie},
            data={"collection_id": _COLLECTION, "score_threshold": "0"},
        )
        if answer.status_code != HTTPStatus.OK:
            raise SearchFailed(f"search: {answer.status_code} {answer.text[:300]}")
        results = answer.json()["results"]
        return bool(results) and results[0]["photo_id"] == case.photo_id

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()
