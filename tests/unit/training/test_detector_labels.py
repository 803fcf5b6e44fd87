"""Which anchor answers for which face, and labels that follow their pixels."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is no dependency")

from training.data.store import PreparedSet  # noqa: E402
from training.detector.losses import diou  # noqa: E402
from training.detector.scenes import Scenes  # noqa: E402
from training.detector.targets import IGNORED, assign, grid  # noqa: E402

NONE = torch.zeros(0, 4)


def test_every_face_has_an_anchor_of_about_its_size() -> None:
    where = grid(320)
    boxes = torch.tensor([[10.0, 10, 22, 24], [100, 100, 170, 180], [20, 20, 300, 310]])
    answer = assign(where, boxes, NONE)
    assert set(answer[answer >= 0].tolist()) == {0, 1, 2}
    assert {float(s) for s in where.strides[answer == 0]} == {8.0}
    assert {float(s) for s in where.strides[answer == 2]} == {32.0}


def test_what_is_neither_a_face_nor_none_is_left_out_of_account() -> None:
    where = grid(160)
    answer = assign(where, NONE, torch.tensor([[40.0, 40, 80, 80]]))
    inside = ((where.points >= 40) & (where.points <= 80)).all(1)
    assert (answer[inside] == IGNORED).all()
    assert (answer[~inside] < 0).all()
    assert not (answer[~inside] == IGNORED).any()


def test_diou_falls_to_nothing_as_boxes_meet() -> None:
    true = torch.tensor([[0.0, 0, 10, 10]] * 3)
    found = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [40, 0, 50, 10]])
    overlap, loss = diou(found, true)
    assert overlap.tolist() == pytest.approx([1, 0.5, 0])
    assert loss[0].item() == pytest.approx(0, abs=1e-6)
    assert loss[0] < loss[1] < 1 < loss[2]


def test_landmarks_lie_where_the_pixels_went(one_face: PreparedSet) -> None:
    scenes = Scenes([one_face], [np.zeros((50, 50, 3), np.uint8)])
    bright: list[float] = []
    for seed in range(40):
        scene = scenes.scene(320, np.random.default_rng(seed))
        for box, points in zip(scene.boxes, scene.landmarks, strict=True):
            side = float((box[2:] - box[:2]).max())
            assert points[0, 0] < points[1, 0], "the left eye is the one on the left"
            if side < 80:
                continue  # dots of less than a few pixels do not outlive blur and JPEG
            for x, y in points.round().astype(int):
                if 0 <= x < 320 and 0 <= y < 320:
                    bright.append(float(scene.pixels[y, x].mean()))
    assert len(bright) > 20
    assert np.mean(np.array(bright) > 90) > 0.9


def test_a_scene_depends_on_its_generator_alone(one_face: PreparedSet) -> None:
    scenes = Scenes([one_face], [np.zeros((50, 50, 3), np.uint8)])
    one, other = (scenes.scene(160, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one.pixels, other.pixels)
    np.testing.assert_array_equal(one.boxes, other.boxes)
