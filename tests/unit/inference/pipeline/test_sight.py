"""Which looks a photo gets, by what the looks before have shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from inference.pipeline.faces import AnalyzeOptions, Detections, EmbedMode
from inference.pipeline.letterbox import DetectorInput, Part
from inference.pipeline.looks import CLOSE_LOOK, Look, LookPolicy, TurnedLooks
from inference.pipeline.sight import Glance, Looking, Sight
from tests.unit.inference.pipeline.test_turns import UPRIGHT, leaning

SIDE = 640
FULL = AnalyzeOptions()
SEARCH = AnalyzeOptions(is_early_stop=True, embed=EmbedMode.SINGLE)
ALL_TURNED = [Look(size, turn) for size in (160, 320, 640) for turn in (90, 180, 270)]

Shows = Callable[[Look], Detections]


def one_face(lean: float, score: float) -> Detections:
    """One of 280 pixels, leaning in the photo frame."""
    points = leaning(UPRIGHT, lean) * 2 + 200
    box = np.array([[200, 200, 440, 480]], np.float32)
    return Detections(box, points[None], np.array([score], np.float32))


NOTHING = one_face(0, 0.0).only(np.array([False]))


def taken(policy: LookPolicy, options: AnalyzeOptions, shows: Shows) -> tuple[list[Look], Sight]:
    """All looks that one photo gets, and what they show together."""
    looking = Looking(policy, options)
    glances: list[Glance] = []
    sight: Sight | None = None
    while looks := looking.due(glances, sight):
        glances += [glance(look, shows(look), looking.min_score) for look in looks]
        sight = looking.sight(glances, Part(0, 0, SIDE, SIDE), SIDE, SIDE)
    assert sight is not None
    return [one.look for one in glances], sight


def glance(look: Look, faces: Detections, min_score: float) -> Glance:
    pixels = np.zeros((look.size, look.size, 3), np.uint8)
    image = DetectorInput(pixels, look.size / SIDE, 0, 0, look.turn)
    return Glance(look, image, faces.only(faces.scores >= min_score))


def policy(turned: TurnedLooks = TurnedLooks.FULL, tiles: int = 1) -> LookPolicy:
    return LookPolicy(close=CLOSE_LOOK, turned=turned, tiles=tiles)


def turned_photo(turn: int, weak: float) -> Shows:
    """A photo whose face lies, weakly seen, unless it is turned by `turn`."""
    return lambda look: one_face(-turn, 0.88 if look.turn == turn else weak)


@pytest.mark.parametrize("options", [FULL, SEARCH], ids=["full", "search"])
def test_an_upright_photo_costs_no_look_more(options: AnalyzeOptions) -> None:
    looks, sight = taken(policy(TurnedLooks.ALWAYS), options, lambda _: one_face(0, 0.85))

    assert looks == [Look(160), Look(320), Look(640)][: len(looks)]
    assert len(looks) == (1 if options is SEARCH else 3)
    assert sight.turn == 0


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_photo_that_lies_is_turned(turn: int) -> None:
    looks, sight = taken(policy(), FULL, turned_photo(turn, weak=0.6))

    assert looks == [Look(160), Look(320), Look(640), *ALL_TURNED]
    assert sight.turn == turn
    assert sight.faces.scores.tolist() == pytest.approx([0.88])


def test_a_face_that_is_only_surmised_is_reason_enough_to_turn() -> None:
    _, sight = taken(policy(), FULL, turned_photo(180, weak=0.35))

    assert sight.turn == 180


def test_a_weak_face_stays_if_no_turn_shows_a_better_one() -> None:
    looks, sight = taken(
        policy(), FULL, lambda look: one_face(-look.turn, 0.73 if look.turn else 0.71)
    )

    assert len(looks) == 12
    assert sight.turn == 0
    assert sight.faces.scores.tolist() == pytest.approx([0.71])


def test_a_photo_that_shows_nothing_is_looked_at_from_nearer_and_not_turned() -> None:
    looks, sight = taken(policy(), FULL, lambda _: NOTHING)

    assert looks == [Look(160), Look(320), Look(640), Look(128)]
    assert len(sight.faces) == 0


def test_a_face_beyond_the_frame_is_found_from_nearer() -> None:
    _, sight = taken(
        policy(), SEARCH, lambda look: one_face(0, 0.8) if look == CLOSE_LOOK else NOTHING
    )

    assert sight.faces_counted == 1


def test_searches_turn_no_photo_unless_asked_to() -> None:
    looks, sight = taken(policy(), SEARCH, turned_photo(90, weak=0.7))

    assert looks == [Look(160)]
    assert sight.turn == 0


def test_a_search_that_may_turns_the_photo_at_once() -> None:
    looks, sight = taken(policy(TurnedLooks.ALWAYS), SEARCH, turned_photo(90, weak=0.7))

    assert looks == [Look(160), *(Look(160, turn) for turn in (90, 180, 270))]
    assert sight.turn == 90
    assert sight.is_clear


def test_tiles_are_looked_at_after_the_whole_photo_at_its_turn() -> None:
    looks, _ = taken(policy(tiles=2), FULL, turned_photo(270, weak=0.6))

    closely = looks[12:]
    assert [(look.size, look.turn) for look in closely] == [(640, 270)] * 4
    assert len({look.tile for look in closely}) == 4


def test_a_search_looks_at_no_tiles() -> None:
    looks, _ = taken(policy(tiles=2), SEARCH, lambda _: NOTHING)

    assert all(look.tile is None for look in looks)


def test_tiles_add_small_faces_and_no_second_box_to_large_ones() -> None:
    small = Detections(
        np.array([[20, 20, 32, 34]], np.float32),
        leaning(UPRIGHT, 0)[None],
        np.array([0.6], np.float32),
    )
    part_of_the_face = Detections(
        np.array([[290, 320, 320, 350]], np.float32),
        leaning(UPRIGHT, 0)[None],
        np.array([0.9], np.float32),
    )

    def shows(look: Look) -> Detections:
        if look.tile is None:
            return one_face(0, 0.85)
        return _together([small, part_of_the_face, one_face(0, 0.8)])

    _, sight = taken(policy(tiles=2), FULL, shows)

    assert np.allclose(sight.faces.boxes, [[200, 200, 440, 480], [20, 20, 32, 34]])


def _together(faces: Sequence[Detections]) -> Detections:
    return Detections(
        np.concatenate([one.boxes for one in faces]),
        np.concatenate([one.landmarks for one in faces]),
        np.concatenate([one.scores for one in faces]),
    )
