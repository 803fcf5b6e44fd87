"""The edge as `python -m edge` runs it, but one port ends the process at one step (FAULT)."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import uvloop

from edge.logs import configure_logging
from edge.serve import serve
from edge.settings import load_settings
from storage.open import Stores, open_stores
from storage.photos.port import PhotoStore
from storage.records.port import RecordStore
from storage.settings import StorageSettings
from storage.settings import load_settings as load_storage_settings
from storage.vectors.port import VectorStore
from tests.faults.ports import Crash, CrashingPort


@asynccontextmanager
async def crashing_stores(settings: StorageSettings) -> AsyncIterator[Stores]:
    """The real stores, each behind the fault."""
    crash = Crash.parse(os.environ["FAULT"], Path(os.environ["FAULT_ARMED"]))
    async with open_stores(settings) as stores:
        yield Stores(
            cast("VectorStore", CrashingPort("vectors", stores.vectors, crash)),
            cast("RecordStore", CrashingPort("records", stores.records, crash)),
            cast("PhotoStore", CrashingPort("photos", stores.photos, crash)),
            stores.are_exclusive,
        )


def main() -> int:
    """Serve until the fault, or until told to stop."""
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    uvloop.run(serve(settings, load_storage_settings(), opener=crashing_stores))
    return 0


if __name__ == "__main__":
    sys.exit(main())
