from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import InvalidRegion
from inference.pipeline.faces import Photo, Region
from inference.pipeline.letterbox import letterbox


def photo(width: int, height: int) -> Photo:
    """A photo whose red grows to the right and whose green grows downwards."""
    across = np.linspace(0, 255, width).astype(np.uint8)
    down = np.linspace(0, 255, height).astype(np.uint8)
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 0], pixels[..., 1] = across[None, :], down[:, None]
    return Photo(pixels, width, height)


@pytest.mark.parametrize(
    ("width", "height", "inside"),
    [(640, 480, (160, 120)), (480, 640, (120, 160)), (80, 40, (160, 80)), (160, 160, (160, 160))],
)
def test_the_longer_side_fills_the_square_and_the_rest_is_black(
    width: int, height: int, inside: tuple[int, int]
) -> None:
    made = letterbox(photo(width, height), 160)

    assert made.pixels.shape == (160, 160, 3)
    assert made.pixels[: inside[1], inside[0] - 1, 0].min() > 240
    assert made.pixels[inside[1] :].max(initial=0) == 0
    assert made.pixels[:, inside[0] :].max(initial=0) == 0


def test_the_pixels_are_those_of_a_linear_resize() -> None:
    source = photo(300, 200)

    made = letterbox(source, 160)

    assert np.array_equal(made.pixels[:106], cv2.resize(source.pixels, (160, 106)))


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_any_shape_fits_and_the_bottom_comes_back(width: int, height: int) -> None:
    source = Photo(np.zeros((height, width, 3), dtype=np.uint8), width, height)
    made = letterbox(source, 96)
    bottom = 96 if height >= width else max(1, 96 * height // width)

    back = made.to_photo(np.array([[0.0, bottom]], dtype=np.float32))[0]

    assert made.pixels.shape == (96, 96, 3)
    # The shorter side is cut to whole pixels of the input.
    assert abs(float(back[1]) - height) <= max(width, height) / 96 + 0.01


def test_points_of_a_region_come_back_in_the_frame_of_the_photo() -> None:
    source = photo(400, 400)

    made = letterbox(source, 160, Region(x=200, y=100, width=80, height=80))

    assert made.to_photo(np.array([[80.0, 80.0]], dtype=np.float32))[0].tolist() == [240, 140]
    assert abs(int(made.pixels[80, 80, 0]) - 240 / 400 * 255) < 3


def test_a_region_over_the_edge_is_what_lies_inside() -> None:
    made = letterbox(photo(400, 400), 160, Region(x=-100, y=320, width=180, height=500))

    assert (made.left, made.top) == (0, 320)


@pytest.mark.parametrize(
    "region",
    [
        Region(400, 0, 10, 10),
        Region(0, -20, 10, 10),
        Region(0, 0, 0, 10),
        Region(0, 0, 10, -1),
        Region(float("nan"), 0, 10, 10),
        Region(0, 0, float("inf"), 10),
    ],
)
def test_a_region_beside_the_photo_is_refused(region: Region) -> None:
    with pytest.raises(InvalidRegion):
        letterbox(photo(400, 400), 160, region)


def test_a_photo_at_half_scale_gives_points_of_the_whole_photo() -> None:
    half = photo(200, 200)
    held_at_half = Photo(half.pixels, width=400, height=400, reduction=2)
    region = Region(x=200, y=100, width=80, height=80)
    points = np.array([[80.0, 80.0]], dtype=np.float32)

    whole = letterbox(held_at_half, 160).to_photo(points)
    part = letterbox(held_at_half, 160, region).to_photo(points)

    assert whole[0].tolist() == [200, 200]
    assert part[0].tolist() == [240, 140]
