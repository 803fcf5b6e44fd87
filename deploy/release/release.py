"""What a tag must be, and what its release says. Python alone, no package.

python deploy/release/release.py check v1.2.3     the versions and the changelog fit the tag
python deploy/release/release.py notes v1.2.3     the section of the changelog
"""
# ruff: noqa: INP001  # a script; nothing imports it

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_TAG = re.compile(r"v(\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)", re.ASCII)
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


class NotReleasable(Exception):
    """Something does not fit the tag. Says what to do."""


def version_of(tag: str) -> str:
    """The version that a tag names. Raises NotReleasable."""
    found = _TAG.fullmatch(tag)
    if found is None:
        raise NotReleasable(f"{tag!r} names no version: a tag is v1.2.3, or v1.2.3rc1")
    return found[1]


def versions(root: Path) -> dict[str, str]:
    """The version of each package, by the file that says it."""
    service, contract = root / "edge" / "__init__.py", root / "proto" / "pyproject.toml"
    found = _VERSION.search(service.read_text("utf-8"))
    if found is None:
        raise NotReleasable(f"{service} has no __version__")
    return {
        "edge/__init__.py": found[1],
        "proto/pyproject.toml": tomllib.loads(contract.read_text("utf-8"))["project"]["version"],
    }


def notes(changelog: str, version: str) -> str:
    """The section of a version: what stands below its heading `## 1.2.3 – date`.

    Raises NotReleasable if there is none, or nothing in it.
    """
    heading = rf"## \[?{re.escape(version)}\]?(?![\w.])[^\n]*"
    found = re.search(rf"^{heading}\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    text = found[1].strip() if found else ""
    if not text:
        raise NotReleasable(
            f"CHANGELOG.md says nothing of {version}: move what is under Unreleased to "
            f"`## {version} – <date>`"
        )
    return text + "\n"


def check(tag: str, root: Path) -> str:
    """The version of the tag. Raises NotReleasable."""
    version = version_of(tag)
    others = {file: has for file, has in versions(root).items() if has != version}
    if others:
        said = ", ".join(f"{file} says {has}" for file, has in others.items())
        raise NotReleasable(f"the tag is {tag}, and {said}")
    notes((root / "CHANGELOG.md").read_text("utf-8"), version)
    return version


def main() -> int:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("check", "notes"))
    parser.add_argument("tag", help="such as v1.2.3")
    parser.add_argument("--root", type=Path, default=ROOT, help="of the source tree [this one]")
    asked = parser.parse_args()
    try:
        if asked.command == "check":
            text = f"{check(asked.tag, asked.root)} can be released\n"
        else:
            changelog = (asked.root / "CHANGELOG.md").read_text("utf-8")
            text = notes(changelog, version_of(asked.tag))
    except NotReleasable as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
