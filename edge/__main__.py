"""`python -m edge`: the HTTP edge, set by EDGE_ and STORAGE_ variables and API_KEY."""

from __future__ import annotations

import sys

import uvloop

from edge.errors import StartRefused
from edge.logs import configure_logging
from edge.serve import serve
from edge.settings import load_settings
from storage.errors import StoreMisconfigured
from storage.settings import load_settings as load_storage_settings

START_FAILED = 2


def main() -> int:
    """Serve; the exit code: 0 after a drain, 2 if it cannot start (stderr says why)."""
    try:
        settings, storage = load_settings(), load_storage_settings()
        configure_logging(settings.log_level, settings.log_format)
        uvloop.run(serve(settings, storage))
    except (StartRefused, StoreMisconfigured) as error:
        sys.stderr.write(f"edge: {error}\n")
        return START_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
