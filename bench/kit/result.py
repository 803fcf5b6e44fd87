"""What one benchmark found, to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from pydantic import JsonValue, TypeAdapter

from bench.kit.figures import Figure

JSON: TypeAlias = JsonValue
Cell = str | float | int
PlotKind = Literal["line", "cdf", "bar", "scatter"]


class Form(StrEnum):
    """How much is measured."""

    SHORT = "short"
    """At most a minute: for CI and while working."""
    FULL = "full"
    """What the targets are judged by."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a report."""

    title: str
    columns: list[str]
    rows: list[list[Cell]]


@dataclass(frozen=True, slots=True)
class Plot:
    """Points of a report, by series."""

    title: str
    kind: PlotKind
    x_label: str
    y_label: str
    series: dict[str, list[tuple[float, float]]]
    spans: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """Stretches of the x axis to shade, from and to, by what they are."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one benchmark found."""

    benchmark: str
    form: Form
    figures: list[Figure]
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    details: dict[str, JSON] = field(default_factory=dict)
    """What a reader may want to check: values of every round, settings, photos."""
    seconds: float = 0.0
    """How long it took."""

    def to_json(self) -> dict[str, JSON]:
        """As plain values; `from_json` makes the same result of them."""
        plain: dict[str, JSON] = TypeAdapter(Result).dump_python(self, mode="json")
        return plain

    @classmethod
    def from_json(cls, value: Mapping[str, JSON]) -> Result:
        """What `to_json` gave. Raises pydantic's ValidationError for anything else."""
        return TypeAdapter(Result).validate_python(value)
