"""Everything that an evaluation measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cli.evaluation.faces import Embedded
from cli.evaluation.intervals import wilson
from cli.evaluation.thresholds import ThresholdForBase
from cli.evaluation.verification import AllPairs, FoldAccuracy, OperatingPoint, ThresholdFigures
from inference.engine import ModelInfo


@dataclass(frozen=True, slots=True)
class LfwFigures:
    """What came of the images and the pairs.

    Without pairs of one person, or of two, nothing is known of points, thresholds and bases.
    """

    embedded: Embedded
    pairs: int
    pairs_without_face: int
    """Among the pairs; each counts as an error."""
    accuracy: FoldAccuracy
    everything: AllPairs
    points: Sequence[OperatingPoint]
    """One for each of the FMRs that packs are compared by."""
    thresholds: Sequence[ThresholdFigures]
    bases: Sequence[ThresholdForBase]
    """By the number of faces."""

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy, as if the pairs were independent of each other."""
        return wilson(self.accuracy.mean, self.pairs)


@dataclass(frozen=True, slots=True)
class LfwOfPack:
    """The figures of one pack."""

    title: str
    info: ModelInfo
    figures: LfwFigures
