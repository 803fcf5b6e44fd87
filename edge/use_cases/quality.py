"""Which faces are too poor to be compared, and what becomes of them.

Poor crops resemble each other more than the people they show, so a few of them in a base match
strangers (blakeblackshear/frigate#23450: 92-100 % from crops of 22 × 28 pixels).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.errors import LowQuality
from storage.records.model import Quality
from storage.records.rules import is_below


class LowQualityPolicy(StrEnum):
    """What becomes of poor faces when photos are put in (EDGE_LOW_QUALITY)."""

    MARK = "mark"  # they are indexed, and marked in every answer
    REFUSE = "refuse"  # they are kept with the photo and not indexed


@dataclass(frozen=True, slots=True)
class QualityRule:
    """The least overall quality, 0 to 1, and what happens below it. 0: every face is good enough.

    The mark is not stored: it follows from the quality, which is, and from the rule as it is now.
    """

    min_quality: float = 0.0
    policy: LowQualityPolicy = LowQualityPolicy.MARK

    @property
    def index_from(self) -> float:
        """The least overall quality that a face needs to be indexed."""
        return self.min_quality if self.policy is LowQualityPolicy.REFUSE else 0.0

    def is_low(self, quality: Quality) -> bool:
        """Whether the face is to be marked."""
        return is_below(quality, self.min_quality)

    def is_refused(self, quality: Quality) -> bool:
        """Whether the face is not to be indexed."""
        return is_below(quality, self.index_from)

    def require(self, quality: Quality) -> None:
        """Raise LowQuality if the face is not to be indexed."""
        if self.is_refused(quality):
            raise LowQuality(self.reason(quality))

    def reason(self, quality: Quality) -> str:
        """Why a face is called poor, in figures."""
        return (
            f"its quality is {quality.overall:.3f}, and {self.min_quality:g} is asked for "
            f"({quality.size:.0f} pixels large, sharpness {quality.sharpness:.2f}, "
            f"yaw {quality.yaw:.0f}°, pitch {quality.pitch:.0f}°)"
        )


EVERY_FACE = QualityRule()
"""No face is too poor."""
