"""Measured figures out of JSON. One that is missing is an error with its name, never a blank."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Figure:
    """A value of a JSON document, which knows where it stands."""

    value: object
    place: str
    """The file, and the keys down to the value."""

    @classmethod
    def read(cls, file: Path) -> Figure:
        """A whole document. Raises TrainingError: no file, or no JSON."""
        try:
            return cls(json.loads(file.read_text(encoding="utf-8")), file.name)
        except OSError as error:
            raise TrainingError(f"{file} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise TrainingError(f"{file} is not JSON: {error}") from error

    def at(self, *keys: str) -> Figure:
        """What lies below. Raises TrainingError: it is missing."""
        found = self
        for key in keys:
            place = f"{found.place} → {key}"
            if not isinstance(found.value, Mapping) or key not in found.value:
                raise TrainingError(f"{place} is missing")
            found = Figure(found.value[key], place)
        return found

    def number(self) -> float:
        """A finite number. Raises TrainingError."""
        value = self.value
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise self._no("a number")
        return float(value)

    def whole(self) -> int:
        """A whole number. Raises TrainingError."""
        number = self.number()
        if not number.is_integer():
            raise self._no("a whole number")
        return int(number)

    def text(self) -> str:
        """Words. Raises TrainingError if there are none."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self._no("text")
        return self.value

    def items(self) -> dict[str, Figure]:
        """The members of an object, in their order. Raises TrainingError if it is none."""
        if not isinstance(self.value, Mapping):
            raise self._no("an object")
        return {str(key): self.at(str(key)) for key in self.value}

    def each(self) -> list[Figure]:
        """The members of a list. Raises TrainingError if it is none, or empty."""
        if not isinstance(self.value, Sequence) or isinstance(self.value, str) or not self.value:
            raise self._no("a list of something")
        return [Figure(one, f"{self.place} → {n}") for n, one in enumerate(self.value, start=1)]

    def _no(self, wanted: str) -> TrainingError:
        return TrainingError(f"{self.place} is not {wanted}: {self.value!r}")
