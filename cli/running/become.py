"""Turning this process into one of the two."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import NoReturn


def become(module: str, settings: Mapping[str, object | None]) -> NoReturn:
    """`python -m module` in place of this process: signals and exit code are its own.

    settings: by environment variable, over the present ones; None leaves a variable as it is.
    """
    environment = dict(os.environ)
    environment.update({name: str(value) for name, value in settings.items() if value is not None})
    # -P: a folder called "edge" where the user happens to be is not our module.
    command = [sys.executable, "-P", "-m", module]
    os.execve(sys.executable, command, environment)  # noqa: S606  # no shell wanted
