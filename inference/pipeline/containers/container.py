"""What a file says about its picture."""

from __future__ import annotations

from dataclasses import dataclass

from inference.errors import ImageTooLarge, InvalidImage

MAX_METADATA_BYTES = 4 << 20
"""Colour profile, EXIF and texts of one file, each taken out of its compression. Real profiles end
at about 3 MiB (CMYK tables), real EXIF blocks at 64 KiB."""


@dataclass(frozen=True, slots=True)
class Container:
    """A file taken apart."""

    width: int
    """Stored width in pixels, orientation not applied."""
    height: int
    orientation: int
    """EXIF orientation, 1 to 8; 1: upright or not said."""
    icc: bytes | None
    """The ICC profile; None: not said, which means sRGB."""
    pixels: bytes
    """A file of the same format with the picture (of an animation: its first frame) and nothing
    else."""


class Metadata:
    """Adds up what a file carries beside its picture, and refuses too much of it."""

    def __init__(self) -> None:
        self._bytes = 0

    @property
    def room(self) -> int:
        """Bytes that may still come."""
        return MAX_METADATA_BYTES - self._bytes

    def add(self, size: int) -> None:
        """Raises ImageTooLarge if there is no room for `size` bytes more."""
        if size > self.room:
            raise ImageTooLarge(
                f"the image carries more than {MAX_METADATA_BYTES >> 20} MiB of metadata (colour "
                "profile, EXIF, texts); save it again without"
            )
        self._bytes += size


def truncated(format_name: str) -> InvalidImage:
    """The error for a file that ends too early."""
    return InvalidImage(f"the {format_name} is damaged: it ends before its picture does")


def damaged(format_name: str, what: str) -> InvalidImage:
    """The error for a file that contradicts its format."""
    return InvalidImage(f"the {format_name} is damaged: {what}")
