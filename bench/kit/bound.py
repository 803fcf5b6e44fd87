"""`python bound.py PARENT_PID COMMAND …`: becomes the command, and dies with its parent.

A benchmark that is killed hard ends nothing itself, so the kernel is asked to (PR_SET_PDEATHSIG,
prctl(2)); the wish survives execve. The parent, for the kernel, is the thread that started this.
Linux only; elsewhere a benchmark that is killed hard leaves its processes.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Bind to the parent, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    # A shell starts what runs in its background with this one ignored, which would be inherited:
    # a process that ends on Ctrl-C alone could then not be stopped.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
            sys.exit("prctl(PR_SET_PDEATHSIG) failed")
        if os.getppid() != parent:  # it ended before the call above
            sys.exit("the benchmark has ended")
    os.execv(command[0], command)  # noqa: S606  # no shell wanted


if __name__ == "__main__":
    main()
