"""`python -m inference`: the inference server, set by INFERENCE_ variables."""

from __future__ import annotations

import sys

import uvloop

from inference.errors import StartError
from inference.logs import configure_logging
from inference.server import serve
from inference.settings import load_settings

START_FAILED = 2


def main() -> int:
    """Serve; the exit code: 0 after a drain, 2 if it cannot start (stderr says why)."""
    try:
        settings = load_settings()
        configure_logging(settings.log_level, settings.log_format)
        uvloop.run(serve(settings))
    except StartError as error:
        sys.stderr.write(f"inference: {error}\n")
        return START_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
