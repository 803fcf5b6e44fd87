from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.pipeline.faces import Detections, FloatArray
from inference.pipeline.letterbox import DetectorInput
from inference.pipeline.looks import LookPolicy, TurnedLooks
from inference.pipeline.turns import TURNS, rolls_of, turned, turned_back, upright

UPRIGHT = np.array([[30, 40], [70, 40], [50, 60], [35, 80], [65, 80]], dtype=np.float32)
PROFILE = np.array([[48, 40], [52, 40], [80, 60], [48, 80], [52, 80]], dtype=np.float32)


def leaning(face: FloatArray, degrees: float) -> FloatArray:
    """The face turned clockwise around its middle, y down."""
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray((face - 50) @ matrix + 50, dtype=np.float32)


def seen(*faces: tuple[float, float]) -> Detections:
    """Faces that lean by so many degrees, with their scores."""
    landmarks = np.array([leaning(UPRIGHT, lean) for lean, _ in faces], np.float32)
    boxes = np.tile(np.array([[20, 20, 80, 90]], np.float32), (len(faces), 1))
    scores = np.array([score for _, score in faces], np.float32)
    return Detections(boxes, landmarks.reshape(-1, 5, 2), scores)


@pytest.mark.parametrize("turn", TURNS)
def test_points_are_where_they_were_before_the_turn(turn: int) -> None:
    size = 64
    before = np.zeros((size, size, 3), dtype=np.uint8)
    before[10, 50] = 255  # row 10, column 50
    row, column = np.argwhere(turned(before, turn)[..., 0])[0]

    back = turned_back(np.array([[column, row]], np.float32), turn, size - 1)

    assert back.tolist() == [[50, 10]]


@given(st.sampled_from(TURNS), st.floats(0, 200), st.floats(0, 200), st.floats(1, 50))
def test_a_box_of_a_turned_look_is_a_box_of_the_photo(
    turn: int, left: float, top: float, side: float
) -> None:
    blank = np.zeros((320, 320, 3), dtype=np.uint8)
    look = DetectorInput(blank, scale=0.5, left=7.0, top=9.0).turned_by(turn)

    x1, y1, x2, y2 = look.boxes_to_photo(
        np.array([[left, top, left + side, top + 2 * side]], np.float32)
    )[0]

    width, height = (side, 2 * side) if turn in (0, 180) else (2 * side, side)
    assert x2 - x1 == pytest.approx(2 * width, abs=1e-2)
    assert y2 - y1 == pytest.approx(2 * height, abs=1e-2)


@pytest.mark.parametrize("face", [UPRIGHT, PROFILE], ids=["frontal", "profile"])
@pytest.mark.parametrize("degrees", [-170, -90, -40, 0, 30, 90, 135])
def test_a_face_leans_as_far_as_it_was_turned(face: FloatArray, degrees: float) -> None:
    assert rolls_of(leaning(face, degrees)[None])[0] == pytest.approx(degrees, abs=1)


def test_a_face_stands_upright_at_the_turn_that_makes_up_for_its_roll() -> None:
    faces = seen((0, 0.9), (44, 0.9), (90, 0.9), (180, 0.9), (-90, 0.9), (-136, 0.9))

    assert upright(faces, 0).tolist() == [True, True, False, False, False, False]
    assert upright(faces, 90).tolist() == [False, False, False, False, True, False]
    assert upright(faces, 180).tolist() == [False, False, False, True, False, True]
    assert upright(faces, 270).tolist() == [False, False, True, False, False, False]


def test_a_photo_stands_upright_if_one_face_surely_does() -> None:
    policy = LookPolicy(sure_upright=0.78)

    assert policy.is_upright(seen((90, 0.9), (10, 0.8)))
    assert not policy.is_upright(seen((90, 0.9), (10, 0.7)))
    assert not policy.is_upright(seen())


def test_the_turn_that_shows_the_best_upright_face_wins_if_clearly_better() -> None:
    policy = LookPolicy(turn_margin=0.05, clear_margin=0.1)
    weak, good, better = seen((0, 0.7)), seen((-90, 0.74)), seen((-90, 0.76))

    assert policy.best_turn({0: weak, 90: good}, 0.5) == 0
    assert policy.best_turn({0: weak, 90: better}, 0.5) == 90
    assert policy.best_turn({0: weak, 90: seen((0, 0.9))}, 0.5) == 0, "not upright at that turn"


def test_a_pack_may_want_another_margin() -> None:
    policy = LookPolicy(turn_margin=0.05)
    faces = {0: seen((0, 0.7)), 180: seen((180, 0.8))}
    assert policy.best_turn(faces, 0.5) == 180
    assert policy.with_turn_margin(None).best_turn(faces, 0.5) == 180
    assert policy.with_turn_margin(0.15).best_turn(faces, 0.5) == 0


def test_a_face_that_only_a_turned_look_shows_must_be_clearly_one() -> None:
    policy = LookPolicy(turn_margin=0.05, clear_margin=0.1)

    assert policy.best_turn({0: seen(), 180: seen((180, 0.59))}, 0.5) == 0
    assert policy.best_turn({0: seen(), 180: seen((180, 0.61))}, 0.5) == 180


@pytest.mark.parametrize(
    ("setting", "enrolment", "search"),
    [
        (TurnedLooks.NEVER, False, False),
        (TurnedLooks.FULL, True, False),
        (TurnedLooks.ALWAYS, True, True),
    ],
)
def test_the_setting_says_which_calls_look_at_photos_turned(
    setting: TurnedLooks, *, enrolment: bool, search: bool
) -> None:
    policy = LookPolicy(turned=setting)

    assert policy.looks_turned(is_early_stop=False) is enrolment
    assert policy.looks_turned(is_early_stop=True) is search
