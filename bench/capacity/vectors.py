"""Memory and search time of the vectors as a base grows."""

from __future__ import annotations

from dataclasses import dataclass

FACES = (10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
GIB = 2**30

_NAMES_BYTES = 200
"""Ids and names of a face beside its vector: the estimate of docs/milvus.md."""
_RESIDENT_OVERHEAD = 1.08
"""Memory of the exact index over that of its vectors, measured at 100,000 (`bench.search`)."""
_MEASURED_FACES, _MEASURED_DIM, _MEASURED_SECONDS = 100_000, 512, 0.0087
"""One search of the exact index, on one core of the machine of docs/performance.md."""
_PUBLISHED_FACES, _PUBLISHED_DIM, _PUBLISHED_RATE = 1_000_000, 128, 7153 / 8
"""HNSW of a million vectors of SIFT on a query node with 8 cores: 7,153 searches a second
(https://milvus.io/docs/benchmark.md, Milvus 2.2, M 8, ef 64, one result)."""


@dataclass(frozen=True, slots=True)
class Index:
    """How vectors are kept and found."""

    name: str
    bytes_a_dimension: float
    bytes_a_face: float
    """On top: the graph or the codes, ids and names."""
    most_faces: int = FACES[-1]
    """Beyond it there is something better."""

    def memory(self, faces: int, dim: int) -> float:
        """Bytes, of one replica."""
        return faces * (self.bytes_a_dimension * dim + self.bytes_a_face)


RESIDENT = Index("in the edge, exact", 4 * _RESIDENT_OVERHEAD, 0.0, most_faces=1_000_000)
HNSW = Index("Milvus HNSW, M 16", 4.0, 32 * 4 + _NAMES_BYTES)
HNSW_SQ = Index("Milvus HNSW_SQ", 1.0, 32 * 4 + _NAMES_BYTES)
DISKANN = Index("Milvus DISKANN", 0.5, 205 + _NAMES_BYTES)
INDEXES = (RESIDENT, HNSW, HNSW_SQ, DISKANN)
"""Bytes as in docs/milvus.md, which says where they come from."""


def resident_seconds(faces: int, dim: int) -> float:
    """One search of the exact index: it reads every vector once, so it grows with their bytes."""
    return _MEASURED_SECONDS * faces * dim / (_MEASURED_FACES * _MEASURED_DIM)


def query_cores(faces: int, dim: int, rate: float) -> float:
    """Cores of Milvus query nodes for so many HNSW searches a second, at the published cost.

    Milvus cuts a base into segments and looks into each, so cost is taken to grow with the faces:
    an upper bound, as larger segments cost less a face.
    """
    segments = max(1.0, faces / _PUBLISHED_FACES) * dim / _PUBLISHED_DIM
    return rate * segments / _PUBLISHED_RATE
