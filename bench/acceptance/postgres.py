"""A PostgreSQL server for as long as a run takes, from the machine's packages."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.kit.child import StartFailed, started
from bench.kit.world import World

_DEBIAN = Path("/usr/lib/postgresql")


def postgres_binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: of the PATH, or Debian's newest; None: not here."""
    on_path = shutil.which("postgres")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    candidates += sorted(_DEBIAN.glob("*/bin"), key=_version, reverse=True)
    return next((one for one in candidates if (one / "initdb").exists()), None)


@contextmanager
def started_postgres(binaries: Path, world: World) -> Iterator[str]:
    """The URL of an empty database; gone at the end with all its files. Raises StartFailed.

    It listens on a socket in a folder of its own, which nobody else may enter.
    """
    # Short: the path of a socket is limited to some 100 characters.
    folder = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    try:
        user = _unprivileged()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        _make(binaries, folder, _become(user))
        # PostgreSQL gives up the wish to die with its parent when the user changes.
        become = [*_become(user), "--pdeathsig", "KILL"] if user is not None else []
        command = [*become, str(binaries / "postgres"), "-D", str(folder / "data")]
        # `-h ''`: no port, so that nothing of it can be reached from elsewhere.
        command += ["-h", "", "-k", str(folder)]
        with started("postgresql", command, world, {}) as server:
            server.until(lambda: _answers(binaries, folder), "took connections")
            yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        shutil.rmtree(folder)


def version_of(binaries: Path) -> str:
    """Such as "postgres (PostgreSQL) 17.6"."""
    done = subprocess.run(
        [binaries / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def _make(binaries: Path, folder: Path, become: Sequence[str]) -> None:
    command = [*become, str(binaries / "initdb"), "-D", str(folder / "data")]
    made = subprocess.run(
        [*command, "-U", "postgres", "-A", "trust", "-E", "UTF8"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise StartFailed(f"initdb failed:\n{made.stderr[-2000:]}")


def _answers(binaries: Path, folder: Path) -> bool:
    asked = subprocess.run(
        [binaries / "pg_isready", "-q", "-h", folder, "-U", "postgres"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return asked.returncode == 0


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to run it as where we are root, as whom PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return None
    everybody = {user.pw_name: user for user in pwd.getpwall()}
    return everybody.get("postgres") or everybody["nobody"]


def _become(user: pwd.struct_passwd | None) -> list[str]:
    if user is None:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StartFailed("PostgreSQL does not run as root, and setpriv (util-linux) is not here")
    return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _version(folder: Path) -> float:
    """Of /usr/lib/postgresql/17/bin: 17."""
    name = folder.parent.name
    return float(name) if name.replace(".", "", 1).isdigit() else 0.0
