from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inference.pipeline.faces import Detections
from inference.pipeline.letterbox import Part
from inference.pipeline.tiles import OVERLAP, Tile, outside, tiles

PART = Part(100, 50, 1000, 600)


def seen(*boxes: tuple[float, float, float, float]) -> Detections:
    rows = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    return Detections(rows, np.zeros((len(rows), 5, 2), np.float32), np.ones(len(rows), np.float32))


def test_one_part_is_no_tile() -> None:
    assert tiles(1) == ()
    assert len(tiles(2)) == 4


@given(st.integers(2, 8))
def test_tiles_cover_the_part_and_no_more(parts: int) -> None:
    places = [tile.within(PART) for tile in tiles(parts)]

    assert min(place.x for place in places) == PART.left
    assert min(place.y for place in places) == PART.top
    assert np.isclose(max(place.x + place.width for place in places), PART.left + PART.width)
    assert np.isclose(max(place.y + place.height for place in places), PART.top + PART.height)


@given(st.integers(2, 5), st.floats(0, 1), st.floats(0, 1))
def test_a_small_face_is_whole_in_at_least_one_tile(parts: int, across: float, down: float) -> None:
    width, height = (tiles(parts)[0].within(PART).width, tiles(parts)[0].within(PART).height)
    face = (OVERLAP - 0.05) * min(width, height)
    x = PART.left + across * (PART.width - face)
    y = PART.top + down * (PART.height - face)
    found = seen((x, y, x + face, y + face))

    off = 1e-6  # the last tile ends where the part does, but for rounding
    inside = [
        tile
        for tile in tiles(parts)
        if (place := tile.within(PART)).x <= x + off
        and x + face <= place.x + place.width + off
        and place.y <= y + off
        and y + face <= place.y + place.height + off
    ]
    assert any(len(tile.whole(found, PART)) for tile in inside)


def test_a_face_that_a_tile_cuts_is_left_to_the_look_that_sees_it_whole() -> None:
    tile = Tile(2, 0, 0)
    place = tile.within(PART)
    right, bottom = place.x + place.width, place.y + place.height
    cut = (right - 30, 200.0, right, 240.0)
    at_the_edge_of_the_photo = (100.0, 50.0, 130.0, 90.0)
    whole = (right - 60, 200.0, right - 30, 240.0)
    cut_below = (300.0, bottom - 20, 320.0, bottom - 1)

    found = tile.whole(seen(cut, at_the_edge_of_the_photo, whole, cut_below), PART)

    assert np.allclose(found.boxes, [at_the_edge_of_the_photo, whole])


def test_what_lies_in_a_larger_face_is_a_part_of_it() -> None:
    large = seen((100, 100, 300, 300))
    mouth, neighbour, again = (180, 240, 230, 280), (290, 100, 340, 160), (105, 100, 295, 300)

    kept = outside(seen(mouth, neighbour, again), large)

    assert np.allclose(kept.boxes, [neighbour, again])
    assert len(outside(seen(mouth), seen())) == 1
