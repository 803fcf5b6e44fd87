"""A folder of small pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def picture_folder(folder: Path, count: int) -> Path:
    """So many PNGs of noise, no two alike."""
    random = np.random.default_rng(20261121)
    for number in range(count):
        pixels = random.integers(0, 256, (20, 30, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), pixels)
    return folder
