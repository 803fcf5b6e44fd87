"""`python -m edge.health`: whether the edge of this container can answer; HEALTHCHECK asks.

Standard library only, and no settings class: it runs every few seconds beside the edge, and reading
all settings would take ten times as long as the question. So it knows EDGE_HOST and EDGE_PORT, as a
container sets them; flags of a command line it does not see.
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping
from http import HTTPStatus

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = "8000"
"""As in edge.settings; a test compares them."""

_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # asked, not listened on
_TIMEOUT_SECONDS = 4.0
"""More than /readyz takes, and less than HEALTHCHECK waits, so that the reason is told."""


def ask(environment: Mapping[str, str]) -> tuple[bool, str]:
    """Whether it is ready, and what it or the system says to it."""
    host = environment.get("EDGE_HOST") or DEFAULT_HOST
    port = int(environment.get("EDGE_PORT") or DEFAULT_PORT)
    connection = http.client.HTTPConnection(
        _EVERY_INTERFACE.get(host, host), port, timeout=_TIMEOUT_SECONDS
    )
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status == HTTPStatus.OK, answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return False, f"the edge does not answer on port {port}: {error}"
    finally:
        connection.close()


def main() -> int:
    """Print what it says; 0: it is ready, 1: not."""
    is_ready, said = ask(os.environ)
    sys.stdout.write(f"{said}\n")
    return 0 if is_ready else 1


if __name__ == "__main__":
    sys.exit(main())
