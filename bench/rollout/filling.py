"""The base that is searched: photos put in through the balancer, before the load."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bench.kit.http_calls import Request, http_calls
from bench.kit.loops import closed_loop
from bench.kit.picture_source import PictureSource
from bench.load.base import photo_id
from bench.rollout.requests import COLLECTION, Requests

_CALLERS = 4


def fill(url: str, source: PictureSource, first: Sequence[int], count: int, api_key: str) -> int:
    """Put in so many photos, `first` among them; how many faces they show. Raises RequestFailed."""
    known = set(first)
    others = (number for number in range(len(source)) if number not in known)
    pictures = [*first, *others][:count]
    requests = Requests((), api_key)
    faces = 0

    async def put_all() -> None:
        nonlocal faces
        async with http_calls(url) as call:

            async def put(place: int) -> None:
                nonlocal faces
                picture = pictures[place]
                name = photo_id(source, picture, place)
                photo = source.encoded(picture)
                answer = await call(
                    Request(requests.enrol(photo, f"fill-{place}", name, COLLECTION))
                )
                faces += answer.count(b'"face_id"')

            await closed_loop(put, range(len(pictures)), _CALLERS)

    asyncio.run(put_all())
    return faces
