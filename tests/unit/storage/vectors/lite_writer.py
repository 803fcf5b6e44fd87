"""Adds batches of faces to a Lite folder and prints the number of each that was acknowledged.

Run as `python lite_writer.py FOLDER FIRST`; it goes on until it is killed.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from storage.vectors.milvus_lite_open import open_lite
from tests.unit.storage.vectors.faces import SPACE, face, random_units

DIM = 64
BATCH = 20


async def write(folder: Path, first: int) -> None:
    store = await open_lite(folder)
    await store.open_space(SPACE, DIM)
    vectors = random_units(BATCH, DIM)
    for start in itertools.count(first, BATCH):
        await store.add(SPACE, [face(start + n, vectors[n]) for n in range(BATCH)])
        sys.stdout.write(f"{start}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2])))
