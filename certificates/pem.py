"""A file that TLS is told to use, and what comes of reading it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path


class CertificateFault(Exception):
    """A file that TLS cannot use. The message is one line that names the setting and the file."""


class Side(StrEnum):
    """Who shows a certificate."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class PemFile:
    """A file, and the setting that names it."""

    setting: str
    path: Path

    def read(self) -> bytes:
        """What is in it. Raises CertificateFault."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise self.fault(f"cannot be read ({error.strerror})") from error

    def stamp(self) -> tuple[int, ...] | None:
        """Another one when the file was written or exchanged; None: there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    def fault(self, what: str) -> CertificateFault:
        """This file `what`, such as "has expired"."""
        return CertificateFault(f"{self.setting}={self.path}: {what}")


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its chain, and its private key: both PEM."""

    chain: bytes
    key: bytes
    expires: datetime
    """Of the certificate itself, UTC."""
