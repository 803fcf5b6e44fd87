"""What a run of all benchmarks found, to JSON and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self, cast

from bench.kit.figures import Figure
from bench.kit.result import JSON, Form, Result

_ID = re.compile(r"([A-Z]*)(\d*)")


@dataclass(frozen=True, slots=True)
class Failure:
    """A benchmark that gave no result."""

    benchmark: str
    reason: str
    """The last lines it wrote."""


@dataclass(frozen=True, slots=True)
class Report:
    """All results of one run on one machine."""

    date: str
    """YYYY-MM-DD, UTC."""
    form: Form
    machine: dict[str, JSON]
    results: list[Result]
    failures: list[Failure] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of its files: the date, the processor and its cores; the short form says so."""
        cpu = re.sub(r"\(r\)|\(tm\)|cpu|processor|@.*", " ", str(self.machine["cpu"]).lower())
        words = re.findall(r"[a-z0-9]+", cpu)
        parts = [self.date, *words, str(self.machine["cores"]), "cores"]
        return "-".join([*parts, "short"] if self.form is Form.SHORT else parts)

    @property
    def figures(self) -> list[Figure]:
        """Of all benchmarks, by the ids of their targets."""
        return sorted((one for result in self.results for one in result.figures), key=_by_id)

    @property
    def faults(self) -> list[str]:
        """Why the run counts as failed, a line each; empty: it does not."""
        broken = [f"{failure.benchmark} gave no result" for failure in self.failures]
        halved = [
            f"{figure.id} {figure.name}: {figure.value:.4g} {figure.unit} is worse than half its "
            f"target of {figure.target:g}"
            for figure in self.figures
            if figure.is_guarded and figure.target is not None and not figure.is_half
        ]
        return broken + halved

    def to_json(self) -> dict[str, JSON]:
        """As plain values; `from_json` makes the same report of them."""
        return {
            "date": self.date,
            "form": str(self.form),
            "machine": self.machine,
            "results": [result.to_json() for result in self.results],
            "failures": [cast("JSON", asdict(failure)) for failure in self.failures],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, JSON]) -> Self:
        """What `to_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        results = cast("list[dict[str, JSON]]", value["results"])
        failures = cast("list[dict[str, str]]", value["failures"])
        return cls(
            date=str(value["date"]),
            form=Form(str(value["form"])),
            machine=cast("dict[str, JSON]", value["machine"]),
            results=[Result.from_json(result) for result in results],
            failures=[Failure(**failure) for failure in failures],
        )


def _by_id(figure: Figure) -> tuple[str, int]:
    """P2 before P10, and what has no id last."""
    matched = _ID.match(figure.id)
    letters, digits = matched.groups() if matched else ("", "")
    return letters or "~", int(digits or 0)
