"""What was asked of the service, and whether it did it: the lines of the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """One line."""

    part: str
    """Heading of the report that it stands under, such as "POST /search/"."""
    what: str
    expected: str
    found: str
    passes: bool | None
    """None: reported, not judged."""


@dataclass(slots=True)
class Findings:
    """Lines in the order in which they came."""

    lines: list[Finding] = field(default_factory=list)

    def judge(self, part: str, what: str, expected: object, found: object) -> bool:
        """A line that passes if the two are equal. Returns whether it does."""
        return self.rule(part, what, expected, found, passes=expected == found)

    def rule(self, part: str, what: str, expected: object, found: object, *, passes: bool) -> bool:
        """A line whose verdict the caller knows. Returns it."""
        self.lines.append(Finding(part, what, str(expected), str(found), passes))
        return passes

    def tell(self, part: str, what: str, found: object) -> None:
        """A line without a verdict."""
        self.lines.append(Finding(part, what, "", str(found), None))

    @property
    def failed(self) -> list[Finding]:
        return [line for line in self.lines if line.passes is False]

    @property
    def judged(self) -> int:
        """How many lines have a verdict."""
        return sum(line.passes is not None for line in self.lines)

    def parts(self) -> Iterable[tuple[str, list[Finding]]]:
        """The lines by heading, headings in the order of their first line."""
        by_part: dict[str, list[Finding]] = {}
        for line in self.lines:
            by_part.setdefault(line.part, []).append(line)
        return by_part.items()
