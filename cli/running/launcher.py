"""`python -m cli.running.launcher PARENT_PID MODULE`: runs MODULE, and dies with its parent.

Ctrl-C and SIGTERM are the parent's to pass on. But a parent that is killed with SIGKILL passes on
nothing, so the kernel is asked to (PR_SET_PDEATHSIG, prctl(2)). SIGKILL and not SIGTERM: a child
that hangs must go too, and what was acknowledged is safe by design. Linux only; elsewhere a parent
that is killed hard leaves its children.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """End this process as soon as its parent has ended."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl(PR_SET_PDEATHSIG): {os.strerror(code)}")
    if os.getppid() != parent:  # it ended before the call above
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Bind to the parent, then become the module."""
    parent, module = int(sys.argv[1]), sys.argv[2]
    die_with(parent)
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
