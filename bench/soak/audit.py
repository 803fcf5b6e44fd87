"""At the end, when all is quiet: what is in the base, against what was acknowledged."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from bench.kit.checked import checked, problems_of
from bench.kit.http_calls import HttpCalls, Request, http_calls
from bench.kit.loops import closed_loop
from bench.kit.world import World
from bench.soak.conduct import Sent
from bench.soak.ledger import State
from bench.soak.service import SoakedService

_CALLERS = 8
_PAGE = 1000


@dataclass(slots=True)
class Audit:
    """What was found."""

    acknowledged: int = 0
    """Photos that must be there."""
    removed: int = 0
    """Photos whose removal was acknowledged."""
    lost: list[str] = field(default_factory=list)
    """Of the acknowledged: not listed, not indexed, or with other bytes."""
    ghosts: list[str] = field(default_factory=list)
    """Listed, though removed or never sent."""
    check: Mapping[str, object] = field(default_factory=dict)
    """What `facesearch check --json` says."""

    @property
    def problems(self) -> int:
        """That the check found; -1: it did not say."""
        return problems_of(self.check)


def audit(service: SoakedService, world: World, sent: Sequence[Sent]) -> Audit:
    """Every photo, its bytes too. Raises RequestFailed and CheckFailed."""
    found = asyncio.run(_compare(service, sent))
    options = ("--data-dir", str(service.data))
    found.check = checked(service.storage_settings, *options, checkout=world.checkout)
    return found


async def _compare(service: SoakedService, sent: Sequence[Sent]) -> Audit:
    found = Audit()
    key = service.as_service.api_key
    async with http_calls(service.url) as calls:
        listed = await _listed(calls, key)
        known = {one.photo_id: one for one in sent}
        for photo_id in listed:
            if photo_id not in known or known[photo_id].state is State.GONE:
                found.ghosts.append(photo_id)
        found.removed = sum(one.state is State.GONE for one in sent)
        kept = [one for one in sent if one.state is State.KEPT]
        found.acknowledged = len(kept)

        async def look(one: Sent) -> None:
            if listed.get(one.photo_id) != (one.collection, one.sha256, "indexed"):
                found.lost.append(one.photo_id)
                return
            path = f"/photos/{quote(one.photo_id, safe='')}/image?collection_id={one.collection}"
            photo = await calls(_get(path, key))
            if hashlib.sha256(photo).hexdigest() != one.sha256:
                found.lost.append(one.photo_id)

        await closed_loop(look, kept, _CALLERS)
    return found


async def _listed(calls: HttpCalls, key: str) -> dict[str, tuple[str, str, str]]:
    """Collection, digest and status of every photo, by its name."""
    photos: dict[str, tuple[str, str, str]] = {}
    cursor: str | None = None
    while True:
        after = f"&cursor={quote(cursor, safe='')}" if cursor else ""
        page = json.loads(await calls(_get(f"/embed_status/?limit={_PAGE}{after}", key)))
        for item in page["items"]:
            photos[item["photo_id"]] = item["collection_id"], item["sha256"], item["status"]
        cursor = page["next_cursor"]
        if cursor is None:
            return photos


def _get(path: str, key: str) -> Request:
    return Request(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n\r\n".encode())
