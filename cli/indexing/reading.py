"""Reading photos: again where it may help, and no longer than it can."""

from __future__ import annotations

import asyncio
import random
import time

from cli.indexing.patience import Patience
from cli.indexing.source import (
    FoundPhoto,
    PhotoContent,
    PhotoSource,
    SourceGaveUp,
    SourceTrouble,
    UnreadablePhoto,
)

_ATTEMPTS = 5
_MOST_DENIED = 20
"""Photos that are refused before one is not."""


class PatientReader:
    """Tells a photo that cannot be read from a place that gives nothing at all.

    A photo that fails several times fails alone, as long as others are read meanwhile.
    """

    def __init__(self, source: PhotoSource, patience: Patience) -> None:
        self._source = source
        self._patience = patience
        self._has_read = False
        self._denied = 0
        self._failing_since: float | None = None

    def known_sha256(self, photo: FoundPhoto) -> str | None:
        """The digest of its bytes, if it is known without reading them."""
        known = self._source.known_sha256(photo)
        self._has_read = self._has_read or known is not None  # it was read, in an earlier run
        return known

    async def __call__(self, photo: FoundPhoto) -> PhotoContent:
        """Its bytes. Raises UnreadablePhoto, NotAPhoto, CommandError."""
        attempt = 0
        while True:
            try:
                content = await self._source.read(photo)
            except SourceTrouble as trouble:
                self._note(trouble)
                attempt += 1
                if not trouble.is_temporary or attempt == _ATTEMPTS:
                    raise UnreadablePhoto(str(trouble)) from trouble
            else:
                self._has_read, self._failing_since = True, None
                return content
            chance = random.random()  # noqa: S311  # spreads load, keeps no secret
            await asyncio.sleep(self._patience.delay(attempt - 1, None, chance))

    def _note(self, trouble: SourceTrouble) -> None:
        """Raises SourceGaveUp if this is no single photo's trouble."""
        if not trouble.is_temporary:
            self._denied += 1
            if self._denied >= _MOST_DENIED and not self._has_read:
                raise SourceGaveUp(str(trouble)) from trouble
            return
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        elif now - self._failing_since > self._patience.give_up_after_seconds:
            raise SourceGaveUp(
                f"no photo could be read for {self._patience.give_up_after_seconds:g} s; "
                f"last, {trouble}"
            ) from trouble
