"""Which files a build sees: the rules of .dockerignore.

The last pattern that fits a path or a folder above it decides; `!` takes back in. Patterns are Go's
filepath.Match with `**` for any number of folders, from the root of the context.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True, slots=True)
class Rule:
    """One line."""

    pattern: str
    is_exception: bool
    """Begins with `!`."""

    def fits(self, path: PurePosixPath) -> bool:
        """Whether it names the path or a folder that holds it."""
        expression = _expression(self.pattern)
        return any(expression.fullmatch(str(one)) for one in (path, *path.parents[:-1]))


def rules_of(text: str) -> tuple[Rule, ...]:
    """The rules of a .dockerignore, in order."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(
        Rule(line.removeprefix("!").strip().strip("/"), line.startswith("!"))
        for line in lines
        if line and not line.startswith("#")
    )


def is_ignored(path: PurePosixPath, rules: tuple[Rule, ...]) -> bool:
    """Whether a build does not see it. path: relative to the context."""
    for rule in reversed(rules):
        if rule.fits(path):
            return not rule.is_exception
    return False


def visible(context: Path, rules: tuple[Rule, ...]) -> Iterator[PurePosixPath]:
    """Every file that a build sees, relative to the context, in order of their names."""
    for folder, folders, files in os.walk(context):
        inside = PurePosixPath(Path(folder).relative_to(context).as_posix())
        folders[:] = sorted(name for name in folders if _may_hold(inside / name, rules))
        for name in sorted(files):
            if not is_ignored(inside / name, rules):
                yield inside / name


def _may_hold(folder: PurePosixPath, rules: tuple[Rule, ...]) -> bool:
    """Whether anything in it may be seen: what is ignored as a whole is not walked through."""
    if not is_ignored(folder, rules):
        return True
    exceptions = [PurePosixPath(rule.pattern) for rule in rules if rule.is_exception]
    return any(folder in exception.parents for exception in exceptions) or any(
        "*" in str(exception) for exception in exceptions
    )


def _expression(pattern: str) -> re.Pattern[str]:
    made, rest = "", pattern
    while rest:
        if rest.startswith("**/"):
            made, rest = made + "(?:.*/)?", rest[3:]
        elif rest.startswith("**"):
            made, rest = made + ".*", rest[2:]
        elif rest[0] == "*":
            made, rest = made + "[^/]*", rest[1:]
        elif rest[0] == "?":
            made, rest = made + "[^/]", rest[1:]
        else:
            made, rest = made + re.escape(rest[0]), rest[1:]
    return re.compile(made)
