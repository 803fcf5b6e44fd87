"""Processes in a root of their own: namespaces by unshare(1), the root by chroot(1).

Mounts belong to the process that needs them, in a mount namespace, and end with it: nothing of a
build or a container is ever mounted for anybody else, and nothing has to be unmounted.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench.images.image import User

DEVICES = ("full", "null", "random", "urandom", "zero")
_TMP, _SHM = "tmp", "dev/shm"
_LOCKED = "nosuid,nodev,noexec"
"""What engines mount a tmpfs with."""


@dataclass(frozen=True, slots=True)
class Bind:
    """A path of this machine, shown inside. What it is shown at must be there already."""

    source: Path
    target: PurePosixPath
    is_writable: bool = False


@dataclass(frozen=True, slots=True)
class Jail:
    """What a process finds around it."""

    root: Path
    binds: tuple[Bind, ...] = ()
    is_read_only: bool = False
    """The root cannot be written to, and /tmp is a tmpfs, as with `docker run --read-only --tmpfs
    /tmp`."""

    @property
    def mounts(self) -> str:
        """A shell script that mounts all of it in a new mount and PID namespace."""
        root = shlex.quote(str(self.root))
        lines = ["set -e", "mount --make-rprivate /", f"mount --bind {root} {root}"]
        if self.is_read_only:
            lines.append(f"mount -o remount,bind,ro {root}")
            lines.append(f"mount -t tmpfs -o mode=1777,{_LOCKED} tmpfs {root}/{_TMP}")
        lines.append(f"mount -t proc -o {_LOCKED} proc {root}/proc")
        lines.append(f"mount -t sysfs -o ro,{_LOCKED} sysfs {root}/sys")
        lines.append(f"mount -t tmpfs -o mode=755,nosuid,noexec tmpfs {root}/dev")
        for device in DEVICES:
            lines.append(f"touch {root}/dev/{device}")
            lines.append(f"mount --bind /dev/{device} {root}/dev/{device}")
        lines.append(f"mkdir {root}/{_SHM}")
        lines.append(f"mount -t tmpfs -o mode=1777,{_LOCKED},size=64m tmpfs {root}/{_SHM}")
        lines.append(f"ln -s /proc/self/fd {root}/dev/fd")
        for bind in self.binds:
            target = shlex.quote(f"{self.root}{bind.target}")
            lines.append(f"mount --bind {shlex.quote(str(bind.source))} {target}")
            if not bind.is_writable:
                lines.append(f"mount -o remount,bind,ro {target}")
        return "\n".join(lines)


def enter(
    jail: Jail,
    command: Sequence[str],
    *,
    user: User,
    environment: Mapping[str, str],
    workdir: str,
) -> list[str]:
    """A command line, for root, that becomes `command` as PID 1 of a new jail.

    The process gets these variables and no others. Any user but root gets what a hardened container
    gets: no capabilities, no groups, no way to new privileges.
    """
    script = f'{jail.mounts}\nexec "$@"'
    outside = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh"]
    return [*outside, *_inside(jail.root, command, user, environment, workdir)]


def join(
    pid: int,
    jail: Jail,
    command: Sequence[str],
    *,
    user: User,
    environment: Mapping[str, str],
    workdir: str,
) -> list[str]:
    """As `enter`, in the jail whose PID 1 is `pid` here: what `docker exec` does."""
    outside = ["nsenter", "--target", str(pid), "--mount", "--pid"]
    return [*outside, *_inside(jail.root, command, user, environment, workdir)]


def _inside(
    root: Path, command: Sequence[str], user: User, environment: Mapping[str, str], workdir: str
) -> list[str]:
    variables = [f"{name}={value}" for name, value in environment.items()]
    drop = [
        *("setpriv", f"--reuid={user.uid}", f"--regid={user.gid}", "--clear-groups"),
        *("--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--"),
    ]
    return [
        *("chroot", str(root), "/usr/bin/env", "--ignore-environment", f"--chdir={workdir}"),
        *variables,
        *(drop if user.uid else []),
        *command,
    ]
