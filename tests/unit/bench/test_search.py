"""What the benchmark of searches is made of: people that a stub can tell apart, and its figures."""

from __future__ import annotations

import numpy as np
import pytest

from bench.search.growth import Growth, units
from bench.search.people import DIM, face_of, photo_of, shown_on


def test_a_photo_says_who_is_on_it() -> None:
    photo = photo_of([7, 40_000], shot=3, size=1_000)

    assert len(photo) == 1_000
    assert photo.startswith(b"\xff\xd8\xff")  # as a JPEG does
    assert shown_on(photo) == (3, [7, 40_000])


def test_another_photo_is_refused() -> None:
    with pytest.raises(ValueError, match="not a photo"):
        shown_on(bytes(1_000))


def test_one_person_is_like_herself_and_like_nobody_else() -> None:
    herself, again, another = face_of(1, 0), face_of(1, 9), face_of(2, 0)

    assert herself.shape == (DIM,)
    assert np.linalg.norm(herself) == pytest.approx(1.0)
    assert 0.55 < float(herself @ again) < 0.73
    assert abs(float(herself @ another)) < 0.25
    np.testing.assert_array_equal(herself, face_of(1, 0))


def test_rows_of_the_growing_base_are_people_of_twenty_faces_each() -> None:
    rows = units(60, seed=1)
    alike = rows @ rows.T > 0.4

    assert [int(line.sum()) for line in alike] == [20] * 60


def test_a_search_may_take_twice_the_reading_of_the_vectors_and_a_millisecond() -> None:
    size = Growth(
        faces=1_000_000,
        p50_ms=0,
        p99_ms=0,
        together_ms=0,
        recall=1,
        memory=1,
        bandwidth=20.48e9,
        fill_seconds=0,
    )

    assert size.bound_ms == pytest.approx(201.0)
