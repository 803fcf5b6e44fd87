"""Pixels as a network wants them: planes of normalised floats, in memory that is used again."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from inference.models.graphs import Normalisation
from inference.pipeline.faces import FloatArray, Pixels


class Blobs:
    """Input tensors of one network, one for each shape it sees. Owned by one thread.

    A fresh tensor of 640² is 5 MB that the kernel maps and clears page by page at the first touch:
    4.5 ms, where filling one that is there takes 0.4 ms.
    """

    def __init__(self, normalisation: Normalisation) -> None:
        self._mean = np.float32(normalisation.mean)
        self._factor = np.float32(1.0 / normalisation.std)
        self._tensors: dict[tuple[int, int], FloatArray] = {}

    def fill(self, images: Sequence[Pixels], batch: int) -> FloatArray:
        """A tensor (batch, 3, size, size) whose first rows are these images; good until the next.

        images: (size, size, 3) each, all of one size. What stands in the rows after them is old.
        """
        size = images[0].shape[0]
        tensor = self._tensors.get((batch, size))
        if tensor is None:
            tensor = np.zeros((batch, 3, size, size), dtype=np.float32)
            self._tensors[batch, size] = tensor
        for image, planes in zip(images, tensor, strict=False):
            for channel, plane in zip(cv2.split(image), planes, strict=True):
                np.subtract(channel, self._mean, out=plane, dtype=np.float32)
            np.multiply(planes, self._factor, out=planes)
        return tensor
