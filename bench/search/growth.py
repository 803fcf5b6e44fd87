"""P10: the index in memory as the base grows, in this process.

    python -m bench.search.growth FACES

Prints one JSON object. Imports nothing of bench, so that it can measure another source tree. The
vectors are kept by the store in memory, so that no other engine's time
or memory is measured with it.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.identity import PhotoKey, RevisionId, SpaceId, face_id_of
from storage.vectors.memory import MemoryVectorStore
from storage.vectors.port import FaceVector
from storage.vectors.resident import ResidentVectorStore

DIM = 512
_SPACE = SpaceId("growth_512")
_SHOTS = 20  # faces of one person
_STEP = 10_000
_TOGETHER = 32
_TOP = 10
# As a search of ten photos asks.
_ROWS = 44
_THRESHOLD = 0.5
_BANDWIDTH_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class Growth:
    """The index at one size."""

    faces: int
    p50_ms: float
    p99_ms: float
    together_ms: float
    """A search, where 32 come at once."""
    recall: float
    """Of the 10 nearest by double precision."""
    memory: float
    """Resident memory that the index took over the bytes of the vectors."""
    bandwidth: float
    """Bytes a second that one core reads."""
    fill_seconds: float

    @property
    def bound_ms(self) -> float:
        """2 × (bytes of the vectors ÷ memory bandwidth) + 1 ms."""
        return 2000 * self.faces * DIM * 4 / self.bandwidth + 1.0


def units(count: int, seed: int) -> NDArray[np.float32]:
    """(count, DIM) unit rows, `_SHOTS` of each person at a cosine of about 0.64."""
    draw = np.random.default_rng(seed)
    people = draw.standard_normal((-(-count // _SHOTS), DIM), dtype=np.float32)
    rows = 0.8 * np.repeat(people, _SHOTS, axis=0)[:count]
    rows += 0.6 * draw.standard_normal((count, DIM), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    made: NDArray[np.float32] = rows
    return made


def _steps(faces: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for first in range(0, faces, _STEP):
        yield first, units(min(_STEP, faces - first), seed=first)


async def measure_growth(faces: int) -> Growth:
    """Fill the index with so many faces and search it."""
    kept = MemoryVectorStore()
    await kept.open_space(_SPACE, DIM)
    for first, rows in _steps(faces):
        await kept.add(_SPACE, [_face(first + n, row) for n, row in enumerate(rows)])
    store = ResidentVectorStore(kept)
    before = _resident_bytes()
    started = time.perf_counter()
    await store.open_space(_SPACE, DIM)
    fill_seconds = time.perf_counter() - started
    memory = (_resident_bytes() - before) / (faces * DIM * 4)
    # One core's time is measured, so fewer searches do for many faces.
    count = int(np.clip(2e7 / faces, 30, 400))
    probes = units(count, seed=faces + 1)
    seconds = [await _timed(store, [probe]) for probe in probes]
    several = [await _timed(store, list(units(_TOGETHER, seed))) for seed in range(1, 8)]
    growth = Growth(
        faces=faces,
        p50_ms=1000 * statistics.median(seconds),
        p99_ms=1000 * float(np.percentile(seconds, 99)),
        together_ms=1000 * statistics.median(several) / _TOGETHER,
        recall=await _recall(store, faces),
        memory=memory,
        bandwidth=bandwidth(),
        fill_seconds=fill_seconds,
    )
    await store.close()
    return growth


async def _timed(store: ResidentVectorStore, probes: list[NDArray[np.float32]]) -> float:
    started = time.perf_counter()
    await asyncio.gather(
        *(
            store.search(_SPACE, probe, within=None, limit=_ROWS, minimum_score=_THRESHOLD)
            for probe in probes
        )
    )
    return time.perf_counter() - started


async def _recall(store: ResidentVectorStore, faces: int) -> float:
    """Which part of the nearest is found, over some people who are in the base and some not."""
    probes = np.concatenate([units(2 * _SHOTS, seed=0)[:: _SHOTS // 2], units(12, seed=faces + 2)])
    best = np.full((len(probes), 0), 0.0)
    ids = np.full((len(probes), 0), 0)
    for first, rows in _steps(faces):
        scores = probes.astype(np.float64) @ rows.astype(np.float64).T
        best = np.concatenate([best, scores], axis=1)
        ids = np.concatenate([ids, np.broadcast_to(np.arange(len(rows)) + first, scores.shape)], 1)
        nearest = np.argsort(-best, axis=1, kind="stable")[:, :_TOP]
        best, ids = (np.take_along_axis(each, nearest, axis=1) for each in (best, ids))
    found = 0
    for probe, wanted in zip(probes, ids.tolist(), strict=True):
        hits = await store.search(_SPACE, probe, within=None, limit=_TOP, minimum_score=-1.0)
        found += len({hit.photo.photo_id for hit in hits} & {f"photo-{n}" for n in wanted})
    return found / ids.size


def bandwidth() -> float:
    """Bytes a second that one core reads from memory: the best of some passes over much of it."""
    data = np.ones(_BANDWIDTH_BYTES // 4, np.float32)
    seconds = []
    for _ in range(8):
        started = time.perf_counter()
        # A dot product of two halves: the kernel that scores are made of, without its calls.
        np.vecdot(data[: len(data) // 2], data[len(data) // 2 :])
        seconds.append(time.perf_counter() - started)
    return _BANDWIDTH_BYTES / min(seconds)


def _resident_bytes() -> int:
    """Resident memory, without what was freed and the C library keeps for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # of glibc
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _face(number: int, vector: NDArray[np.float32]) -> FaceVector:
    revision = RevisionId(f"{number:026d}")
    photo = PhotoKey("", f"photo-{number}")
    return FaceVector(face_id_of(revision, 0), photo, revision, vector)


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(measure_growth(int(sys.argv[1]))))))
