"""Scores and their order: the same for every adapter that compares vectors by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.vectors.port import Hit


def exact_scores(rows: NDArray[np.float32], probe: NDArray[np.float32]) -> NDArray[np.float64]:
    """Cosine similarities of `rows` (n, dim) to `probe` (dim,), clipped to −1…1; (n,) float64.

    Each row is summed by itself in float64: its score depends on nothing but the row and the probe.
    A BLAS product differs in the last bits with the number of rows and of probes, so that two
    pages of one search could disagree about the order.
    """
    scores: NDArray[np.float64] = np.vecdot(rows.astype(np.float64), probe.astype(np.float64))
    return scores.clip(-1.0, 1.0)


def most_similar_first(hit: Hit) -> tuple[float, str, str, str]:
    """The key that hits are sorted by; text by code point."""
    return (-hit.score, hit.photo.photo_id, hit.photo.collection_id, hit.face_id)
