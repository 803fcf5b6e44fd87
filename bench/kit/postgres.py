"""A PostgreSQL cluster of the machine's packages, in a folder of its own, for as long as a run."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.kit.child import StartFailed

VARIABLE = "FACESEARCH_TEST_POSTGRES_BIN"
_DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Made, and not started."""

    binaries: Path
    folder: Path
    """With the data and the socket; nobody else may enter it."""
    become: tuple[str, ...]
    """What a command begins with to run as somebody whom PostgreSQL runs as; maybe nothing."""

    @property
    def url(self) -> str:
        """Of an empty database."""
        return f"postgresql://postgres@/postgres?host={self.folder}"

    @property
    def command(self) -> list[str]:
        """The server's, without `become`: on a socket and no port, so that nothing else gets in."""
        server = [str(self.binaries / "postgres"), "-D", str(self.folder / "data")]
        return [*server, "-h", "", "-k", str(self.folder), "-c", "max_connections=100"]

    def answers(self) -> bool:
        """Whether it takes connections."""
        asked = [str(self.binaries / "pg_isready"), "-q", "-h", str(self.folder), "-U", "postgres"]
        return subprocess.run(asked, check=False, capture_output=True).returncode == 0


def postgres_binaries() -> Path | None:
    """The folder of `initdb` and `postgres`; None: PostgreSQL is not here.

    The one that FACESEARCH_TEST_POSTGRES_BIN names, or of the PATH, or Debian's newest.
    """
    if told := os.environ.get(VARIABLE):
        candidates = [Path(told)]
    else:
        on_path = shutil.which("postgres")
        candidates = [Path(on_path).resolve().parent] if on_path else []
        candidates += sorted(_DEBIAN.glob("*/bin"), key=_version, reverse=True)
    return next((one for one in candidates if (one / "initdb").exists()), None)


def version_of(binaries: Path) -> str:
    """Such as "postgres (PostgreSQL) 17.6"."""
    done = subprocess.run(
        [binaries / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@contextmanager
def made_cluster(binaries: Path) -> Iterator[Cluster]:
    """One that syncs as it does by default. Its files are gone at the end. Raises StartFailed."""
    # Short: the path of a socket is limited to some 100 characters.
    folder = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    try:
        user = _unprivileged()
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        cluster = Cluster(binaries, folder, _become(user))
        _make(cluster)
        yield cluster
    finally:
        shutil.rmtree(folder)


def _make(cluster: Cluster) -> None:
    command = [*cluster.become, str(cluster.binaries / "initdb"), "-D"]
    made = subprocess.run(
        [*command, str(cluster.folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8"],
        cwd=cluster.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise StartFailed(f"initdb failed:\n{made.stderr[-2000:]}")


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to run it as where we are root, as whom PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return None
    everybody = {user.pw_name: user for user in pwd.getpwall()}
    return everybody.get("postgres") or everybody["nobody"]


def _become(user: pwd.struct_passwd | None) -> tuple[str, ...]:
    if user is None:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise StartFailed("PostgreSQL does not run as root, and setpriv (util-linux) is not here")
    return (setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")


def _version(folder: Path) -> float:
    """Of /usr/lib/postgresql/17/bin: 17."""
    name = folder.parent.name
    return float(name) if name.replace(".", "", 1).isdigit() else 0.0
