"""What the processes say of themselves at /metrics, between two moments."""

from __future__ import annotations

import math
import urllib.request
from dataclasses import dataclass
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

_SECONDS = 10.0
Series = tuple[str, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class Scrape:
    """All series of one or more endpoints at a moment; one that several tell of is their sum."""

    values: dict[Series, float]

    @classmethod
    def of(cls, *urls: str) -> Self:
        """Read them. Raises OSError if one does not answer."""
        values: dict[Series, float] = {}
        for url in urls:
            with urllib.request.urlopen(url, timeout=_SECONDS) as answer:  # noqa: S310  # http only
                for series, value in _values(answer.read().decode()).items():
                    values[series] = values.get(series, 0.0) + value
        return cls(values)

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the text of an endpoint."""
        return cls(_values(text))

    def since(self, before: Scrape) -> Scrape:
        """What was added between the two."""
        return Scrape(
            {
                series: value - before.values.get(series, 0.0)
                for series, value in self.values.items()
            }
        )

    def total(self, name: str, **labels: str) -> float:
        """The sum of all series with this name and these labels; 0 if there are none."""
        wanted = frozenset(labels.items())
        return sum(
            value for (one, has), value in self.values.items() if one == name and has >= wanted
        )

    def mean(self, name: str, **labels: str) -> float:
        """Of a histogram; 0 if nothing was observed."""
        count = self.total(f"{name}_count", **labels)
        return self.total(f"{name}_sum", **labels) / count if count else 0.0

    def quantile_bound(self, quantile: float, name: str, **labels: str) -> float | None:
        """The bound of the bucket that holds this quantile: it is no higher. None: nothing there.

        A histogram knows no more; between two bounds a value would be a guess.
        """
        wanted = frozenset(labels.items())
        cumulative: dict[float, float] = {}
        for (one, has), value in self.values.items():
            if one == f"{name}_bucket" and has >= wanted:
                bound = float(dict(has)["le"])
                cumulative[bound] = cumulative.get(bound, 0.0) + value
        count = cumulative.get(math.inf, 0.0)
        if not count:
            return None
        return min(bound for bound, below in cumulative.items() if below >= quantile * count)


def _values(text: str) -> dict[Series, float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
