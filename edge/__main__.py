"""`python -m edge`: the HTTP edge, set by EDGE_ and STORAGE_ variables and API_KEY."""

from __future__ import annotations

import asyncio
import os
import sys

import uvloop

from edge.errors import StartRefused
from edge.logs import configure_logging
from edge.replicated import check_key, check_stores
from edge.settings import load_settings
from edge.workers.count import worker_count
from edge.workers.supervise import supervise
from edge.workers.worker import Worker
from storage.errors import StoreMisconfigured
from storage.settings import load_settings as load_storage_settings

START_FAILED = 2


def main(worker: Worker | None = None) -> int:
    """Serve; the exit code: 0 after a drain, 2 if it cannot start (stderr says why).

    worker: one of several that share a port, in a process of its own; None: the first process.
    """
    try:
        settings = load_settings()
        # First: without its Secret a pod lacks everything else too.
        check_key(settings, os.environ)
        storage = load_storage_settings()
        check_stores(settings, storage, os.environ)
        number = None if worker is None else worker.number
        configure_logging(settings.log_level, settings.log_format, worker=number)
        if worker is None:
            cores = len(os.sched_getaffinity(0))
            count = worker_count(settings.workers, storage, cores)
            if count > 1:
                return asyncio.run(supervise(settings, count))
        # The parent of workers has no use for it.
        from edge.serve import serve  # noqa: PLC0415

        uvloop.run(serve(settings, storage, worker=worker))
    except (StartRefused, StoreMisconfigured) as error:
        sys.stderr.write(f"edge: {error}\n")
        return START_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
