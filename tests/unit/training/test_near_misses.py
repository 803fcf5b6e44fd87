"""What is taken for a face on photos without: where it lies, and that it is shown again."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs PyTorch, which is no dependency")

from inference.pipeline.faces import Detections, Pixels
from inference.pipeline.letterbox import DetectorInput
from training.data.store import PreparedSet
from training.detector.near_misses import LOOKS, Patch, near_misses, patches
from training.detector.scenes import NEAR_MISSES, Scenes

INNER = np.array([2, 2, -2, -2], np.float32)
"""Off the edges of a box, which rounding blurs."""


def spot(x: int, y: int) -> Pixels:
    """A dark photo with one bright spot of 12 pixels around a point."""
    photo = np.full((400, 600, 3), 20, np.uint8)
    photo[y - 6 : y + 6, x - 6 : x + 6] = (255, 0, 255)
    return photo


def bright_parts(look: DetectorInput, min_score: float) -> Detections:
    """One "face" where it is bright, in the pixels of the photo."""
    assert 0 < min_score < 0.5
    rows, columns = np.nonzero(look.pixels[:, :, 0] > 130)
    corners = np.array([[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]])
    box = look.to_photo(corners.astype(np.float32)).reshape(1, 4)
    return Detections(box, np.zeros((1, 5, 2), np.float32), np.array([0.3], np.float32))


def test_a_near_miss_is_said_in_pixels_of_its_photo() -> None:
    found = near_misses(bright_parts, [spot(100, 300), spot(500, 50)])
    assert [one.photo for one in found] == [0] * len(LOOKS) + [1] * len(LOOKS)
    for one, (x, y) in zip(found, [(100, 300)] * 3 + [(500, 50)] * 3, strict=True):
        assert one.x == pytest.approx(x, abs=4)
        assert one.y == pytest.approx(y, abs=4)
        assert one.side == pytest.approx(12, abs=6)
    assert [one.scale for one in found[:3]] == pytest.approx(
        [size / 600 for size in LOOKS], rel=0.01
    )


def test_scenes_show_near_misses_more_often_than_chance(one_face: PreparedSet) -> None:
    photos = [spot(100, 300), *[np.full((400, 600, 3), 20, np.uint8)] * 30]
    misses = near_misses(bright_parts, photos[:1])
    without, shown = (
        sum(
            bool((np.abs(ground.astype(int) - (255, 0, 255)).sum(2) < 60).any())
            for ground in (
                scenes.scene(160, np.random.default_rng(seed)).pixels for seed in range(60)
            )
        )
        for scenes in (Scenes([one_face], photos), Scenes([one_face], photos, misses))
    )
    assert without <= 6
    assert shown >= 60 * NEAR_MISSES / 4


def test_what_is_cut_out_of_photos_of_people_shows_no_face(one_face: PreparedSet) -> None:
    def everywhere(look: DetectorInput, min_score: float) -> Detections:
        sides = np.arange(8, 92, 6, dtype=np.float32)
        boxes = np.array([[x - 5, y - 5, x + 5, y + 5] for x in sides for y in sides], np.float32)
        count = len(boxes)
        landmarks = np.zeros((count, 5, 2), np.float32)
        return Detections(boxes, landmarks, np.full(count, 0.3, np.float32))

    found = patches(everywhere, one_face, [0])
    assert found
    assert all(one.pixels.max() == 0 for one in found), "the dots are the face's"
    assert {one.pixels.shape[0] for one in found} <= set(range(4, 24))


def test_patches_lie_on_no_face(one_face: PreparedSet) -> None:
    patch = Patch(np.full((30, 30, 3), (255, 0, 255), np.uint8), 0.5)
    ground = np.full((50, 50, 3), 20, np.uint8)
    scenes = Scenes([one_face], [ground], patches=[patch])
    shown = 0
    for seed in range(60):
        scene = scenes.scene(160, np.random.default_rng(seed))
        is_patch = np.abs(scene.pixels.astype(int) - (255, 0, 255)).sum(2) < 60
        shown += bool(is_patch.any())
        for x1, y1, x2, y2 in np.clip(scene.boxes + INNER, 0, 160).astype(int):
            assert not is_patch[y1:y2, x1:x2].any()
    assert shown >= 8
