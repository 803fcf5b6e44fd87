"""Where photos come from: what a folder and a bucket have in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Protocol

from cli.errors import CommandError

LARGEST_BYTES = 256 * 1024 * 1024
"""Nothing larger is even read; the service's own limit is far below."""


@dataclass(frozen=True, slots=True)
class FoundPhoto:
    """A photo to send."""

    photo_id: str
    place: str
    """Its path, or its key below the prefix."""
    stamp: str = ""
    """Another one whenever the bytes are others; empty: they must be read to know."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A photo that cannot be sent."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class PhotoContent:
    """A photo, read to its end."""

    data: bytes
    sha256: str
    """Of the data, in hex digits."""


class PhotoSource(Protocol):
    """Photos in one place. Nothing is asked of the place before the first of them is."""

    @property
    def name(self) -> str:
        """What messages call the place."""
        ...

    @property
    def passed_over(self) -> Mapping[str, int]:
        """What was met so far that is no photo, by extension."""
        ...

    @property
    def total(self) -> int | None:
        """How many photos there are, once that is known."""
        ...

    def photos(self) -> AsyncGenerator[FoundPhoto | Unusable, None]:
        """Every photo once, each under its path below the place.

        Raises UsageError, or SourceGaveUp if the place cannot be listed.
        """
        ...

    def known_sha256(self, photo: FoundPhoto) -> str | None:
        """The digest of its bytes, if it is known without reading them."""
        ...

    async def read(self, photo: FoundPhoto) -> PhotoContent:
        """Its bytes. Several calls may run at once.

        Raises UnreadablePhoto, NotAPhoto, SourceTrouble, or SourceGaveUp if no other photo can be
        read either.
        """
        ...


class UnreadablePhoto(Exception):
    """This photo cannot be read. It says nothing about the others."""


class NotAPhoto(Exception):
    """Its first bytes are of something else. It is among what was passed over."""


class SourceTrouble(Exception):
    """The photo cannot be read, and perhaps no other can."""

    def __init__(self, message: str, *, is_temporary: bool) -> None:
        """is_temporary: whether the same call may work in a moment."""
        super().__init__(message)
        self.is_temporary = is_temporary


class SourceGaveUp(CommandError):
    """The place has not given anything for too long, or refuses everything."""
