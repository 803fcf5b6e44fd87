"""The command line, killed (kill -9: nothing is tidied up) when it is about to make one call.

python -m tests.faults.killed_command storage.backups.folder:BackupFolder.complete backup FOLDER
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from operator import attrgetter

from cli.main import main


def die(*_arguments: object, **_named: object) -> None:
    """Instead of the call."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(place: str) -> None:
    """`module:attribute`, which may be a method of a class there."""
    module, _, path = place.partition(":")
    owner, _, name = path.rpartition(".")
    home = importlib.import_module(module)
    setattr(attrgetter(owner)(home) if owner else home, name, die)


if __name__ == "__main__":
    arm(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
