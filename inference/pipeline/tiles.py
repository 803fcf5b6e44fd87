"""Parts of a photo that are looked at closely, for tiny faces in crowds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.pipeline.faces import Detections, Region
from inference.pipeline.letterbox import Part

OVERLAP = 0.25
"""Of a tile's side. A face up to this size is whole in one of the tiles that it touches."""
MARGIN = 0.02
"""Of a tile's side: a box that ends so near to a cut may be a part of a face."""
MAX_INSIDE = 0.7
"""Of a box: what lies in another face for more than this is a part of it."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One of parts × parts overlapping parts of a photo."""

    parts: int
    """A side, at least 2."""
    column: int
    row: int

    def within(self, part: Part) -> Region:
        """Where it lies, in the photo frame. part: what is looked at of the photo."""
        reach = self.parts - OVERLAP * (self.parts - 1)
        width, height = part.width / reach, part.height / reach
        step = 1 - OVERLAP
        return Region(
            part.left + self.column * step * width,
            part.top + self.row * step * height,
            width,
            height,
        )

    def whole(self, faces: Detections, part: Part) -> Detections:
        """The faces that no inner edge of the tile cuts; those it does another look sees whole."""
        place = self.within(part)
        across, down = MARGIN * place.width, MARGIN * place.height
        x1, y1, x2, y2 = faces.boxes.T
        is_whole = np.ones(len(faces), dtype=np.bool_)
        if self.column > 0:
            is_whole &= x1 >= place.x + across
        if self.column < self.parts - 1:
            is_whole &= x2 <= place.x + place.width - across
        if self.row > 0:
            is_whole &= y1 >= place.y + down
        if self.row < self.parts - 1:
            is_whole &= y2 <= place.y + place.height - down
        return faces.only(is_whole)


def tiles(parts: int) -> tuple[Tile, ...]:
    """All parts × parts of them; none for 1."""
    if parts < 2:
        return ()
    return tuple(Tile(parts, column, row) for row in range(parts) for column in range(parts))


def outside(faces: Detections, others: Detections) -> Detections:
    """Faces of tiles that are no part of a larger face: a mouth may look like a face from near."""
    x1, y1, x2, y2 = (faces.boxes[:, None, edge] for edge in range(4))
    width = np.minimum(x2, others.boxes[:, 2]) - np.maximum(x1, others.boxes[:, 0])
    height = np.minimum(y2, others.boxes[:, 3]) - np.maximum(y1, others.boxes[:, 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    areas, other_areas = _areas(faces), _areas(others)
    is_part = (shared > MAX_INSIDE * areas[:, None]) & (other_areas > 2 * areas[:, None])
    return faces.only(~is_part.any(axis=1))


def _areas(faces: Detections) -> NDArray[np.float32]:
    extents = np.maximum(faces.boxes[:, 2:] - faces.boxes[:, :2], 0)
    return np.asarray(extents[:, 0] * extents[:, 1], dtype=np.float32)
