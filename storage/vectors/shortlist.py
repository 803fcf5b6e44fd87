"""Many probes at once: a matrix product finds the few rows that may matter, to be scored exactly.

A matrix product differs from `exact_scores` in the last bits, and with the number of probes. So it
decides nothing: it leaves out only rows that no rounding could bring into the answer. Measured on
one core at 512 dimensions, milliseconds a probe:

                      1 probe   4 probes   8     16     32
    8,192 rows          0.32      0.12     0.10   0.09   0.08   (each by itself: 0.30)
    98,304 rows         6.8       6.4      4.1    2.1    1.8    (each by itself: 5.2-6.8)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.vectors.ranking import lowest_float32
from storage.vectors.validation import UNIT_TOLERANCE

FROM_PROBES = 4
"""With fewer, one dot product a row is as fast."""
# Up to so many multiplications OpenBLAS computes in the calling thread: above, it starts a thread
# per core, which takes several times the CPU time. Its kernels for such sizes are faster, too.
_ONE_THREAD = 64**3
_MAX_TILE = 128


def close_scores(rows: NDArray[np.float32], probes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine similarities of `rows` (n, dim) to `probes` (k, dim), within `slack_of(dim)`.

    Both in C order. Returns (k, n) float32, in −1…1.
    """
    count, dim = rows.shape
    by_probe = np.ascontiguousarray(probes.T)
    scores = np.empty((len(probes), count), np.float32)
    tile = _tile(dim, len(probes))
    whole = count - count % tile
    tiles = rows[:whole].reshape(-1, tile, dim)
    scores[:, :whole] = np.matmul(tiles, by_probe).reshape(whole, len(probes)).T
    scores[:, whole:] = np.matmul(rows[whole:], by_probe).T
    return np.clip(scores, -1.0, 1.0, out=scores)


def slack_of(dim: int) -> float:
    """How far `close_scores` may be from `exact_scores`, whatever the order of summation.

    A sum of `dim` products of two unit vectors is off by at most dim·u/(1 − dim·u), u = 2⁻²⁴
    (Higham, Accuracy and Stability of Numerical Algorithms, §3.1); both scores may be.
    """
    rounding = dim * 2.0**-24
    lengths = (1.0 + UNIT_TOLERANCE) ** 2
    return 2.0 * lengths * rounding / (1.0 - rounding)


def shortlist(
    close: NDArray[np.float32], slack: float, limit: int, minimum_score: float
) -> NDArray[np.intp]:
    """Every row that may be among the `limit` highest of at least `minimum_score`, or tie with
    the last of them, if each score is known up to `slack`: close (n,) → row numbers, ascending.
    """
    rows = np.flatnonzero(close >= lowest_float32(minimum_score - slack))
    if len(rows) <= limit:
        return rows
    enough = close[rows]
    # The last of the true best is no lower than this less the slack, so a row that is lower than
    # that by the slack again is none of them.
    last = float(np.partition(enough, -limit)[-limit])
    able: NDArray[np.intp] = rows[enough >= lowest_float32(last - 2.0 * slack)]
    return able


def _tile(dim: int, probes: int) -> int:
    """Rows of one product: a power of two, as many as stay in one thread."""
    rows = max(1, min(_MAX_TILE, _ONE_THREAD // (dim * probes)))
    return 1 << (rows.bit_length() - 1)
