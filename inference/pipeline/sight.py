"""What the looks at one photo show together, and which looks it needs further."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.pipeline.faces import AnalyzeOptions, Detections, EmbedMode
from inference.pipeline.letterbox import DetectorInput, Part
from inference.pipeline.looks import Flags, Look, LookPolicy, counted, largest_first
from inference.pipeline.tiles import outside, tiles
from inference.pipeline.turns import TURNS


@dataclass(frozen=True, slots=True)
class Glance:
    """A look that was taken, and what it showed."""

    look: Look
    image: DetectorInput
    faces: Detections
    """All above the score that the detector was asked for."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the looks at one photo show together."""

    faces: Detections
    """Largest first, in the photo frame."""
    counts: Flags
    """(n,): which of them count as people."""
    is_clear: bool
    """Whether a search may stop looking here."""
    turn: int
    """Degrees clockwise that the photo is turned by for the faces to stand upright."""
    may_lie: bool
    """Whether the photo as it is shows something, and nothing that surely stands upright."""

    @property
    def faces_counted(self) -> int:
        """How many faces count."""
        return int(self.counts.sum())


@dataclass(frozen=True, slots=True)
class Looking:
    """How one call looks at a photo: what it takes next depends on what it saw."""

    policy: LookPolicy
    options: AnalyzeOptions

    @property
    def may_turn(self) -> bool:
        """Whether the photo may be looked at turned."""
        return self.policy.looks_turned(is_early_stop=self.options.is_early_stop)

    @property
    def min_score(self) -> float:
        """What the detector is asked for: less than the call, where a hint decides on turns."""
        limit = self.options.min_score
        return min(limit, self.policy.hint_score) if self.may_turn else limit

    @property
    def parts(self) -> int:
        """Parts a side that are looked at closely; 1: none."""
        return 1 if self.options.is_early_stop else self.policy.tiles

    def due(self, glances: Sequence[Glance], sight: Sight | None) -> Sequence[Look]:
        """The looks to take next, at once; none: what was seen is the answer.

        sight: what `glances` show together; None: none was taken yet.
        """
        taken = {glance.look for glance in glances}
        untaken = [look for look in self.policy.looks if look not in taken]
        if sight is None:
            return untaken[:1] if self.options.is_early_stop else untaken
        turned = self._turned(glances, taken) if sight.may_lie else []
        if self.options.is_early_stop:
            if sight.is_clear and not turned:
                return ()
            if turned or untaken:
                return turned or untaken[:1]
        close = self.policy.close
        if close is not None and close not in taken and not len(sight.faces):
            return [close]
        if turned:
            return turned
        size = max(self.policy.sizes)
        closely = [Look(size, sight.turn, tile) for tile in tiles(self.parts)]
        return [look for look in closely if look not in taken]

    def sight(self, glances: Sequence[Glance], part: Part, width: int, height: int) -> Sight:
        """What looks at a photo of width × height pixels show, or at a part of it; at least one."""
        policy, options = self.policy, self.options
        by_turn = {
            turn: self._seen([one for one in glances if one.look.turn == turn], part)
            for turn in dict.fromkeys(glance.look.turn for glance in glances)
        }
        turn = policy.best_turn(by_turn, options.min_score)
        faces = largest_first(by_turn[turn])
        counts = counted(faces, width, height, options.counting)
        is_clear = policy.is_clear(
            faces,
            counts,
            options.min_score,
            max(one.image.scale for one in glances if one.look.turn == turn),
            is_single=options.embed is EmbedMode.SINGLE,
        )
        may_lie = (
            self.may_turn
            and any(len(one.faces) for one in glances if not one.look.turn)
            and not policy.is_upright(by_turn[0])
        )
        return Sight(faces, counts, is_clear, turn, may_lie)

    def _turned(self, glances: Sequence[Glance], taken: set[Look]) -> list[Look]:
        """The looks that were taken at the photo as it is, after each turn."""
        sizes = [one.look.size for one in glances if not one.look.turn and one.look.tile is None]
        looks = [Look(size, turn) for size in sizes for turn in TURNS[1:]]
        return [look for look in looks if look not in taken]

    def _seen(self, glances: Sequence[Glance], part: Part) -> Detections:
        """What the looks at one turn show together, best score first."""
        limit = self.options.min_score
        looks = [one.faces for one in glances]
        if limit > self.min_score:  # the detector was asked for more
            looks = [faces.only(faces.scores >= limit) for faces in looks]
        scales = [one.image.scale for one in glances]
        whole = [one.look.tile is None for one in glances]
        faces = self.policy.merge(
            [look for look, is_whole in zip(looks, whole, strict=True) if is_whole],
            [scale for scale, is_whole in zip(scales, whole, strict=True) if is_whole],
        )
        if all(whole):
            return faces
        for row, glance in enumerate(glances):
            if glance.look.tile is not None:
                looks[row] = outside(glance.look.tile.whole(looks[row], part), faces)
        return self.policy.merge(looks, scales)
