"""At the end: is everything there that was acknowledged, and do the stores agree?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from bench.kit.checked import checked, problems_of
from bench.kit.child import Setting
from bench.kit.http_calls import Request, http_calls
from bench.kit.processes import API_KEY
from bench.rollout.requests import NEWCOMERS

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found."""

    acknowledged: int
    lost: Sequence[str]
    """Acknowledged photos that are not listed as indexed."""
    check: Mapping[str, object]
    """What `facesearch check --json` says."""

    @property
    def problems(self) -> int:
        """That the check found; -1: it did not say."""
        return problems_of(self.check)


def audit(url: str, storage: Mapping[str, Setting], acknowledged: Sequence[str]) -> Audit:
    """Every acknowledged photo is looked up. Raises RequestFailed and CheckFailed."""
    indexed = asyncio.run(_indexed(url))
    lost = sorted(set(acknowledged) - indexed)
    return Audit(len(acknowledged), lost, checked(storage))


async def _indexed(url: str) -> set[str]:
    found: set[str] = set()
    cursor: str | None = None
    async with http_calls(url) as call:
        while True:
            after = f"&cursor={quote(cursor, safe='')}" if cursor else ""
            path = f"/embed_status/?collection_id={NEWCOMERS}&limit={_PAGE}{after}"
            head = f"GET {path} HTTP/1.1\r\nHost: audit\r\nX-Api-Key: {API_KEY}\r\n\r\n"
            page = json.loads(await call(Request(head.encode())))
            found |= {one["photo_id"] for one in page["items"] if one["status"] == "indexed"}
            cursor = page["next_cursor"]
            if cursor is None:
                return found
