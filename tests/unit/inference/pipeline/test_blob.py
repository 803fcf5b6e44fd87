"""Input tensors: the right numbers, in memory that is used again."""

from __future__ import annotations

import numpy as np

from inference.models.graphs import DETECTOR_DEFAULT
from inference.pipeline.blob import Blobs


def noise(count: int, size: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    source = np.random.default_rng(seed=size)
    return [source.integers(0, 256, (size, size, 3), dtype=np.uint8) for _ in range(count)]


def test_planes_are_normalised_pixels() -> None:
    images = noise(2, 32)

    tensor = Blobs(DETECTOR_DEFAULT).fill(images, batch=2)

    expected = (np.stack(images).astype(np.float64) - 127.5) / 128.0
    assert tensor.shape == (2, 3, 32, 32)
    assert tensor.dtype == np.float32
    assert np.abs(tensor - expected.transpose(0, 3, 1, 2)).max() < 1e-6


def test_a_tensor_is_used_again_for_its_shape_only() -> None:
    blobs = Blobs(DETECTOR_DEFAULT)
    first = blobs.fill(noise(1, 32), batch=4)

    assert blobs.fill(noise(3, 32), batch=4) is first
    assert blobs.fill(noise(1, 64), batch=4) is not first
    assert blobs.fill(noise(1, 32), batch=1) is not first


def test_what_an_earlier_batch_left_behind_does_not_reach_the_images_of_the_next() -> None:
    blobs = Blobs(DETECTOR_DEFAULT)
    one = noise(1, 32)
    alone = blobs.fill(one, batch=2)[0].copy()
    blobs.fill(noise(2, 32), batch=2)

    assert np.array_equal(blobs.fill(one, batch=2)[0], alone)
