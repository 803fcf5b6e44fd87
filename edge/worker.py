"""`python -m edge.worker NUMBER LISTENING PARENT IS_FIRST`: one of several, started by a parent.

NUMBER: from 1 on. LISTENING, PARENT: descriptors. IS_FIRST: 0 or 1. See edge/workers/worker.py.
"""

from __future__ import annotations

import sys

from edge.__main__ import main
from edge.workers.worker import Worker

if __name__ == "__main__":
    sys.exit(main(Worker.from_arguments(*map(int, sys.argv[1:]))))
