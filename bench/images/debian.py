"""A fresh Debian root, as close to the base image as can be had without one: by debootstrap.

The official image is made in the same way (minbase), minus documentation and with files that
engines mount over. Packages come from where this machine has its own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_BASE = re.compile(
    r"(?:docker\.io/(?:library/)?)?debian:(?P<suite>[a-z]+)(?:-\d+)?(?:-slim)?(@.+)?"
)
MACHINE_SOURCES = (
    Path("/etc/apt/sources.list.d/debian.sources"),
    Path("/etc/apt/sources.list"),
)
_URL = re.compile(r"(?:^URIs:\s*|^deb\s+(?:\[[^]]*\]\s+)?)(?P<url>https?://\S+)", re.MULTILINE)
_FETCHING = tuple(f"Acquire::{name}" for name in ("Check-", "Retries", "ftp::", "http"))
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# What slim images leave out, and dpkg from then on.
_DOCUMENTATION = ("usr/share/doc", "usr/share/info", "usr/share/locale", "usr/share/man")
_EXCLUDE = "".join(f"path-exclude /{folder}/*\n" for folder in _DOCUMENTATION)
_MADE_BY_ENGINES = {
    "etc/hostname": "rehearsal\n",
    "etc/hosts": "127.0.0.1\tlocalhost\n",
    "etc/resolv.conf": "",
}


class NoBase(Exception):
    """The base image cannot be rehearsed here. Says why."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where packages come from."""

    mirror: str
    """What debootstrap asks."""
    text: str
    """For apt inside."""
    file_name: str
    """That it must have: its ending says the format."""


def suite_of(reference: str) -> str:
    """ "bookworm" of `debian:bookworm-20261005-slim@sha256:…`. Raises NoBase for anything else."""
    found = _BASE.fullmatch(reference)
    if found is None:
        raise NoBase(f"{reference} is no Debian image, and debootstrap makes no other")
    return found["suite"]


def sources_of(suite: str, mirror: str | None, files: Sequence[Path] = MACHINE_SOURCES) -> Sources:
    """A mirror by its URL; None: those of this machine, in the first file that knows the suite.

    Raises NoBase.
    """
    if mirror is not None:
        return Sources(mirror, f"deb {mirror} {suite} main\n", "rehearsal.list")
    for file in files:
        text = file.read_text("utf-8") if file.is_file() else ""
        found = _URL.search(text)
        if found is not None and suite in text:
            return Sources(found["url"], text, file.name)
    raise NoBase(f"this machine has no apt sources of {suite}: name a mirror with --mirror URL")


def debian_root(suite: str, folder: Path, sources: Sources) -> None:
    """Make one in a folder that is not there yet. Takes a minute. Raises NoBase."""
    if shutil.which("debootstrap") is None:
        raise NoBase("debootstrap is not installed: apt install debootstrap")
    unfinished = folder.with_name(f".{folder.name}")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    keyring = [f"--keyring={_KEYRING}"] if _KEYRING.is_file() else []
    command = ["debootstrap", "--variant=minbase", *keyring, suite, str(unfinished), sources.mirror]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if ended.returncode:
        raise NoBase(f"debootstrap failed:\n{ended.stdout.decode('utf-8', 'replace')[-2000:]}")
    _make_slim(unfinished)
    _use(sources, unfinished)
    unfinished.rename(folder)


def apt_settings() -> str:
    """How this machine's apt fetches (proxies, what it checks), for APT_CONFIG inside."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    return "".join(f"{line}\n" for line in dump.stdout.splitlines() if line.startswith(_FETCHING))


def _make_slim(root: Path) -> None:
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(_EXCLUDE, "utf-8")
    leftovers = ["var/log/bootstrap.log", "var/cache/apt/archives/*.deb", "var/lib/apt/lists/*"]
    leftovers.append("dev/*")  # engines mount over it
    leftovers += [f"{folder}/*" for folder in _DOCUMENTATION]
    for leftover in (path for pattern in leftovers for path in root.glob(pattern)):
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()
    for name, text in _MADE_BY_ENGINES.items():
        (root / name).unlink(missing_ok=True)  # a link, maybe
        (root / name).write_text(text, "utf-8")


def _use(sources: Sources, root: Path) -> None:
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    place = "etc/apt" if sources.file_name == "sources.list" else "etc/apt/sources.list.d"
    (root / place / sources.file_name).write_text(sources.text, "utf-8")
