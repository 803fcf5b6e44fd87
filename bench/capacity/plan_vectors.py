"""Tables of what the vectors need from ten thousand faces to a billion."""

from __future__ import annotations

from bench.capacity.vectors import (
    DISKANN,
    FACES,
    GIB,
    HNSW,
    HNSW_SQ,
    INDEXES,
    RESIDENT,
    query_cores,
    resident_seconds,
)
from bench.kit.result import Cell, Table

_RATE = 100.0
_DIMS = (128, 512)


def memory_table(dim: int) -> Table:
    """GiB of one replica."""
    rows: list[list[Cell]] = []
    for faces in FACES:
        cells: list[Cell] = [faces]
        for index in INDEXES:
            is_sensible = faces <= index.most_faces
            cells.append(_gib(index.memory(faces, dim)) if is_sensible else "–")
        rows.append(cells)
    return Table(
        f"Memory of vectors of {dim} values, GiB",
        ["faces", *(index.name for index in (RESIDENT, HNSW, HNSW_SQ, DISKANN))],
        rows,
    )


def time_table() -> Table:
    """Search time of the exact index, and cores of query nodes."""
    rows: list[list[Cell]] = []
    for faces in FACES:
        is_resident = faces <= RESIDENT.most_faces
        cells: list[Cell] = [faces]
        cells += [_ms(resident_seconds(faces, dim)) if is_resident else "–" for dim in _DIMS]
        cells += [_cores(query_cores(faces, dim, _RATE)) for dim in _DIMS]
        rows.append(cells)
    return Table(
        "Search time",
        ["faces", "exact, 128 values, ms", "exact, 512 values, ms",
         "HNSW cores at 100/s, 128 values", "HNSW cores at 100/s, 512 values"],
        rows,
    )  # fmt: skip


def _gib(size: float) -> str:
    gib = size / GIB
    return f"{gib:.2f}" if gib < 1 else f"{gib:,.0f}" if gib >= 10 else f"{gib:.1f}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2g}"


def _cores(cores: float) -> str:
    return f"{cores:.1f}" if cores < 10 else f"{cores:,.0f}"
