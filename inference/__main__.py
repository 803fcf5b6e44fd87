"""`python -m inference`: the inference server, set by INFERENCE_ variables."""

from __future__ import annotations

import os
import sys

import uvloop

from inference.errors import GaveUp, StartError
from inference.logs import configure_logging
from inference.runtimes import OpenSessions, open_sessions
from inference.server import serve
from inference.settings import load_settings

START_FAILED = 2
GAVE_UP = 3


def main(opener: OpenSessions = open_sessions) -> int:
    """Serve; the exit code: 0 after a drain, 2 if it cannot start, 3 if it stopped by itself.

    stderr says why.
    """
    try:
        settings = load_settings()
        configure_logging(settings.log_level, settings.log_format)
        uvloop.run(serve(settings, opener=opener))
    except StartError as error:
        sys.stderr.write(f"inference: {error}\n")
        return START_FAILED
    except GaveUp as error:
        sys.stderr.write(f"inference: {error}\n")
        sys.stderr.flush()
        # A thread in native code would crash into the end of the interpreter.
        os._exit(GAVE_UP)
    return 0


if __name__ == "__main__":
    sys.exit(main())
