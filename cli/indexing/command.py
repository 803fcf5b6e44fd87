"""An indexing run from the first file to the verdict."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.access import Access, ServiceChoice, reach
from cli.errors import CommandError, UsageError
from cli.indexing.report import Consistency, IndexReport
from cli.indexing.upload import DONE_STATUSES, Ending, Outcome, ServiceGaveUp, Uploader
from cli.indexing.walk import Found, find_photos
from cli.progress import progress
from cli.rest.answers import PhotoRow
from cli.rest.client import Refused, ServiceAway
from cli.running.child import ChildEnded

_RESUME = "once that is mended, run the same command again: it goes on where it stopped"


@dataclass(frozen=True, slots=True)
class IndexOrder:
    """What to put where."""

    paths: tuple[Path, ...]
    collection_id: str | None
    is_forced: bool
    """Send what is there already, too."""
    is_checked: bool


async def index_photos(order: IndexOrder, choice: ServiceChoice) -> IndexReport:
    """Walk, send, verify. Raises CommandError if nothing can be sent, or not go on."""
    found = await asyncio.to_thread(find_photos, order.paths)
    if not found.photos and not found.unusable:
        raise UsageError(
            f"no photos below {', '.join(map(str, order.paths))}",
            "name a folder with JPEG, PNG or WebP files; others, such as HEIC, are not taken",
        )
    outcomes = [Outcome(str(path), Ending.FAILED, reason=reason) for path, reason in found.unusable]
    async with reach(choice) as access:
        try:
            return await access.guard(_index(order, found, outcomes, access, choice))
        except (ChildEnded, ServiceGaveUp, ServiceAway, Refused) as error:
            done = sum(outcome.ending is not Ending.FAILED for outcome in outcomes)
            raise CommandError(
                f"stopped after {done} of {len(found.photos)} photos: {error}",
                _RESUME,
                exit_code=error.exit_code,
            ) from error


async def _index(
    order: IndexOrder,
    found: Found,
    outcomes: list[Outcome],
    access: Access,
    choice: ServiceChoice,
) -> IndexReport:
    """Send and verify. `outcomes` grows as photos end, also if this does not come to its end."""
    known = {} if order.is_forced else await _listed(access, order.collection_id)
    started = time.monotonic()
    with progress("photos") as bar:
        task = bar.add_task("indexing", total=len(found.photos))

        def on_outcome(outcome: Outcome) -> None:
            outcomes.append(outcome)
            bar.advance(task)

        await Uploader(access.client, order.collection_id, known).run(found.photos, on_outcome)
    seconds = time.monotonic() - started
    there = await _listed(access, order.collection_id)
    missing = [
        outcome.photo_id
        for outcome in outcomes
        if outcome.ending is not Ending.FAILED and not _is_held(outcome, there)
    ]
    problems = None
    if order.is_checked and access.is_local:
        from cli.base.check import CheckOrder, check_base  # noqa: PLC0415  # slow to import

        report = await check_base(CheckOrder(choice.data_dir))
        problems = report.problems
    return IndexReport(
        order.collection_id,
        sorted(outcomes, key=lambda outcome: outcome.photo_id),
        found.passed_over,
        seconds,
        Consistency(missing, problems),
    )


def _is_held(outcome: Outcome, there: Mapping[str, PhotoRow]) -> bool:
    """Whether the service lists the photo as it should after this outcome."""
    row = there.get(outcome.photo_id)
    if row is None:
        return False
    # With all its faces refused a photo is as one that was detected only.
    return row.status in DONE_STATUSES or (outcome.is_refused_whole and row.status == "detected")


async def _listed(access: Access, collection_id: str | None) -> dict[str, PhotoRow]:
    """What the service has of the collection, by photo_id."""
    rows: dict[str, PhotoRow] = {}
    async for row in access.client.photos(collection_id):
        if row.photo_id in rows:
            raise CommandError(f"the service lists {row.photo_id!r} twice; please report this")
        rows[row.photo_id] = row
    return rows
