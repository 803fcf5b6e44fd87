"""A prepared set that needs no data."""

import numpy as np
import pytest

from inference.pipeline.faces import Detections
from training.data.store import About, PreparedSet


@pytest.fixture
def one_face(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    """An image of 100 pixels with a "face" of five bright dots on black."""
    pixels = np.zeros((100, 100, 3), np.uint8)
    points = np.array([[42, 44], [58, 44], [50, 52], [44, 60], [56, 60]], np.float32)
    for x, y in points.astype(int):
        pixels[y - 1 : y + 2, x - 1 : x + 2] = 255
    faces = Detections(
        np.array([[34, 30, 66, 70]], np.float32), points[None], np.array([0.9], np.float32)
    )
    about = About(
        source="dots", origin="", licence="", names=["a"], people=[None], held_out=[False], looks=[]
    )
    first = np.array([0], np.int64)
    return PreparedSet(
        folder=tmp_path_factory.mktemp("dots"),
        about=about,
        pixels=pixels.reshape(-1),
        offsets=np.array([0, pixels.size]),
        sizes=np.array([[100, 100]]),
        face_image=first,
        faces=faces,
        crops=np.zeros((1, 144, 144, 3), np.uint8),
        crop_image=first,
        crop_embeddings=np.zeros((1, 4), np.float32),
    )
