"""At the end: is everything there that was acknowledged, and do the stores agree?"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from bench.kit.child import Setting
from bench.kit.http_calls import Request, http_calls
from bench.kit.processes import API_KEY
from bench.kit.world import ROOT
from bench.rollout.requests import NEWCOMERS

_PAGE = 1000


class CheckFailed(Exception):
    """`facesearch check` could not do its work."""


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
        count = self.check.get("problems")
        return count if isinstance(count, int) else -1


def audit(url: str, storage: Mapping[str, Setting], acknowledged: Sequence[str]) -> Audit:
    """Every acknowledged photo is looked up. Raises RequestFailed and CheckFailed."""
    indexed = asyncio.run(_indexed(url))
    lost = sorted(set(acknowledged) - indexed)
    return Audit(len(acknowledged), lost, _check(storage))


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


def _check(storage: Mapping[str, Setting]) -> Mapping[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "check", "--json"],
        cwd=ROOT,
        env=os.environ | {name: str(value) for name, value in storage.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        report = json.loads(done.stdout)
    except ValueError as error:
        raise CheckFailed(done.stderr[-2000:]) from error
    if not isinstance(report, dict):
        raise CheckFailed(done.stdout[-2000:])
    return report
