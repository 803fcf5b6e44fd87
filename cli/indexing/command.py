"""An indexing run from the first photo to the verdict."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from dataclasses import dataclass

from cli.access import Access, ServiceChoice, reach
from cli.errors import CommandError, UsageError
from cli.indexing.choose import open_source
from cli.indexing.ledger import Ledger
from cli.indexing.patience import Patience
from cli.indexing.reading import PatientReader
from cli.indexing.report import Consistency, IndexReport
from cli.indexing.source import FoundPhoto, PhotoSource, SourceGaveUp, Unusable
from cli.indexing.tally import Ending, Outcome, Tally
from cli.indexing.upload import Photos, ServiceGaveUp, Uploader
from cli.progress import progress
from cli.rest.client import Refused, ServiceAway
from cli.running.child import ChildEnded

_RESUME = "once that is mended, run the same command again: it goes on where it stopped"


@dataclass(frozen=True, slots=True)
class IndexOrder:
    """What to put where."""

    places: tuple[str, ...]
    """Folders, photos, or one s3://bucket/prefix."""
    collection_id: str | None
    is_forced: bool
    """Send what is there already, too."""
    is_checked: bool
    is_reread: bool = False
    """Read objects again that are as they were."""


async def index_photos(order: IndexOrder, choice: ServiceChoice) -> IndexReport:
    """Find, send, verify. Raises CommandError if nothing can be sent, or not go on."""
    async with (
        open_source(order.places, is_reread=order.is_reread) as source,
        aclosing(source.photos()) as found,
    ):
        first = await anext(found, None)  # before a service is started in vain
        if first is None:
            raise _nothing_in(source)
        tally = Tally()
        with closing(Ledger()) as ledger:
            run = _Run(order, choice, source, ledger, tally)
            async with reach(choice) as access:
                try:
                    return await access.guard(run(access, _each_once(first, found, ledger)))
                except (ChildEnded, ServiceGaveUp, ServiceAway, Refused, SourceGaveUp) as error:
                    raise CommandError(
                        f"stopped after {tally.photos} photos: {error}",
                        _RESUME,
                        exit_code=error.exit_code,
                    ) from error


class _Run:
    """What one run works with. The tally grows as photos end, whatever becomes of the run."""

    def __init__(
        self,
        order: IndexOrder,
        choice: ServiceChoice,
        source: PhotoSource,
        ledger: Ledger,
        tally: Tally,
    ) -> None:
        self._order = order
        self._choice = choice
        self._source = source
        self._ledger = ledger
        self._tally = tally

    async def __call__(self, access: Access, photos: Photos) -> IndexReport:
        """Send and verify."""
        collection_id = self._order.collection_id
        if not self._order.is_forced:
            await self._note_listed(access)
        started = time.monotonic()
        with progress("photos") as bar:
            task = bar.add_task("indexing", total=None)

            def on_outcome(outcome: Outcome) -> None:
                self._tally.add(outcome)
                if outcome.ending is not Ending.FAILED:
                    self._ledger.note_taken(
                        outcome.photo_id, is_refused_whole=outcome.is_refused_whole
                    )
                bar.update(task, advance=1, total=self._source.total)

            patience = Patience()
            reader = PatientReader(self._source, patience)
            uploader = Uploader(
                access.client, reader, collection_id, self._ledger.listed, patience=patience
            )
            await uploader.run(photos, on_outcome)
        seconds = time.monotonic() - started
        async for row in access.client.photos(collection_id):
            self._ledger.note_held(row)
        return IndexReport(
            collection_id,
            self._tally,
            self._source.passed_over,
            seconds,
            Consistency(self._ledger.missing(), await self._problems(access)),
        )

    async def _note_listed(self, access: Access) -> None:
        with progress("photos") as bar:
            task = bar.add_task("reading what the base has", total=None)
            async for row in access.client.photos(self._order.collection_id):
                self._ledger.note_listed(row)
                bar.advance(task)

    async def _problems(self, access: Access) -> int | None:
        if not (self._order.is_checked and access.is_local):
            return None
        from cli.base.check import CheckOrder, check_base  # noqa: PLC0415  # slow to import

        return (await check_base(CheckOrder(self._choice.data_dir))).problems


async def _each_once(
    first: FoundPhoto | Unusable, others: AsyncIterator[FoundPhoto | Unusable], ledger: Ledger
) -> AsyncIterator[FoundPhoto | Unusable]:
    """The photos; of two whose names differ only in their spelling the second is unusable."""
    yield _if_new(first, ledger)
    async for photo in others:
        yield _if_new(photo, ledger)


def _if_new(photo: FoundPhoto | Unusable, ledger: Ledger) -> FoundPhoto | Unusable:
    if isinstance(photo, Unusable) or ledger.is_first(photo.photo_id):
        return photo
    return Unusable(
        photo.place,
        "another photo of this name came first; the two differ only in how accents are written",
    )


def _nothing_in(source: PhotoSource) -> UsageError:
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(source.passed_over.items()))
    return UsageError(
        f"no photos below {source.name}" + (f", only others: {kinds}" if kinds else ""),
        "name a folder or a prefix with JPEG, PNG or WebP files; others, such as HEIC, are not "
        "taken",
    )
