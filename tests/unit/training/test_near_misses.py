"""What is taken for a face on photos without: where it lies, and that it is shown again."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs PyTorch, which is no dependency")

from inference.pipeline.faces import Detections, Pixels
from inference.pipeline.letterbox import DetectorInput
from training.data.store import PreparedSet
from training.detector.near_misses import LOOKS, near_misses
from training.detector.scenes import NEAR_MISSES, Scenes


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
