"""Masks and glasses lie where people wear them."""

import numpy as np

from inference.pipeline.faces import Pixels
from training.detector.covers import MASKED, cover

SKIN = np.array([180, 140, 120], np.uint8)
LANDMARKS = np.array([[70, 80], [130, 80], [100, 115], [78, 145], [122, 145]], np.float32)
DRAWS = 40


def covered(seed: int) -> Pixels:
    face = np.full((200, 200, 3), SKIN, np.uint8)
    cover(face, LANDMARKS, np.random.default_rng(seed))
    return face


def is_bare(face: Pixels, point: tuple[int, int]) -> bool:
    x, y = point
    return bool((face[y, x] == SKIN).all())


def test_a_mask_covers_mouth_and_chin_and_glasses_cover_eyes() -> None:
    masks = 0
    for seed in range(DRAWS):
        face = covered(seed)
        eyes = [is_bare(face, (x, 80)) for x in (70, 130)]
        mouth = [is_bare(face, (x, y)) for x, y in ((78, 145), (122, 145), (100, 150), (100, 175))]
        assert [set(eyes), set(mouth)] in ([{True}, {False}], [{False}, {True}])
        masks += eyes[0]
        assert is_bare(face, (100, 30)), "the forehead stays"
    assert abs(masks / DRAWS - MASKED) < 0.25
