"""The base of the load test: `facesearch index` fills it, and the service says what it has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.acceptance.answers import StatusPage
from bench.acceptance.calls import Calls
from bench.acceptance.findings import Findings
from bench.acceptance.operations import EMBED_STATUS
from bench.acceptance.photo_files import Collection
from bench.kit.world import ROOT

PART = "The base"
_PAGE = 1_000
_LAST_CHARACTERS = 2_000

Say = Callable[[str], None]


class IndexFailed(Exception):
    """`facesearch index` ended without a report. Carries its last lines."""


class Indexed(BaseModel):
    """The report of `facesearch index --json`: the parts that are read here."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    photos: int
    indexed: int
    unchanged: int
    failed: list[dict[str, str]]
    without_faces: list[str]
    missing: list[str]
    seconds: float


def load_base(
    calls: Calls,
    url: str,
    key: str,
    collections: Sequence[Collection],
    findings: Findings,
    say: Say,
) -> None:
    """Put every photo in, twice, and compare with what is listed. Raises IndexFailed."""
    for collection in collections:
        say(f"indexing {collection.photos} photos into {collection.name}")
        done = index(url, key, collection)
        rate = done.photos / done.seconds if done.seconds else 0.0
        say(f"{done.photos} photos in {done.seconds:.0f} s, {rate:.1f} a second")
        taken, put = f"{collection.photos} indexed, 0 failed", f"photos put into {collection.name}"
        findings.judge(PART, put, taken, f"{done.indexed} indexed, {len(done.failed)} failed")
        findings.tell(
            PART,
            f"rate of `facesearch index` into {collection.name}",
            f"{rate:.1f} photos/s, {len(done.without_faces)} without a face",
        )
    for collection in collections:
        _compare(calls, collection, findings)
    again = index(url, key, collections[0])
    findings.judge(
        PART,
        f"the photos of {collections[0].name} sent again",
        f"0 indexed, {collections[0].photos} unchanged",
        f"{again.indexed} indexed, {again.unchanged} unchanged",
    )


def index(url: str, key: str, collection: Collection) -> Indexed:
    """One run of the command. Its progress goes to the terminal. Raises IndexFailed."""
    command = [sys.executable, "-m", "cli.main", "index", str(collection.folder)]
    done = subprocess.run(
        [*command, "--collection", collection.name, "--url", url, "--json"],
        cwd=ROOT,
        env=os.environ | {"FACESEARCH_API_KEY": key},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    try:
        return Indexed.model_validate_json(done.stdout)
    except ValidationError as error:
        said = done.stdout[-_LAST_CHARACTERS:]
        raise IndexFailed(f"facesearch index ended with code {done.returncode}: {said}") from error


def _compare(calls: Calls, collection: Collection, findings: Findings) -> None:
    """What the service lists, over all pages."""
    listed: list[str] = []
    faces = total = 0
    cursor: str | None = None
    while True:
        query = {"collection_id": collection.name, "limit": str(_PAGE)}
        page = calls(EMBED_STATUS, query=query | ({"cursor": cursor} if cursor else {})).read(
            StatusPage
        )
        listed += [row.photo_id for row in page.items]
        faces += sum(row.faces_indexed for row in page.items)
        total, cursor = page.total, page.next_cursor
        if cursor is None:
            break
    findings.judge(
        PART,
        f"photos that {EMBED_STATUS} lists in {collection.name}, each once, and its total",
        (collection.photos, collection.photos, collection.photos),
        (len(listed), len(set(listed)), total),
    )
    findings.tell(PART, f"faces indexed in {collection.name}", faces)
