"""A PostgreSQL server of this machine's packages, on a Unix socket in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.kit.child import StartFailed
from bench.kit.world import World
from bench.rollout.process import Process

VARIABLE = "FACESEARCH_TEST_POSTGRES_BIN"
_DEBIAN = Path("/usr/lib/postgresql")
_START_SECONDS = 60.0
_POLL_SECONDS = 0.05


class PostgreSQL:
    """Records for several edges. Syncs as it does by default: what it acknowledged lasts."""

    def __init__(self, binaries: Path, folder: Path, world: World) -> None:
        self._binaries = binaries
        self._folder = folder
        self._as_somebody = _as_somebody()
        data = folder / "data"
        initdb = [*self._as_somebody, str(binaries / "initdb"), "-D", str(data), "-U", "postgres"]
        subprocess.run(
            [*initdb, "-A", "trust", "-E", "UTF8"], check=True, cwd=folder, capture_output=True
        )
        options = ["-h", "", "-k", str(folder), "-c", "max_connections=100"]
        command = [*self._as_somebody, str(binaries / "postgres"), "-D", str(data), *options]
        self.process = Process(
            "postgresql",
            # Whoever it runs as may not look into the folder that we run in.
            [shutil.which("env") or "env", "-C", str(folder), *command],
            world,
            {},
            # "Fast": it hangs up on its clients and ends, as `systemctl restart` has it.
            stop_signal=signal.SIGINT,
        )

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self._folder}"

    def start(self) -> None:
        """Returns when it answers. Raises StartFailed."""
        self.process.start()
        end = time.monotonic() + _START_SECONDS
        while not self.answers():
            if not self.process.is_running or time.monotonic() > end:
                raise StartFailed(f"PostgreSQL did not start:\n{self.process.output[-2000:]}")
            time.sleep(_POLL_SECONDS)

    def answers(self) -> bool:
        """Whether it takes connections."""
        asked = [str(self._binaries / "pg_isready"), "-q", "-h", str(self._folder)]
        return subprocess.run(asked, check=False).returncode == 0


@contextmanager
def postgresql(world: World) -> Iterator[PostgreSQL]:
    """A server that is gone at the end, with all its files. Raises StartFailed."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="bench-pg-"))  # short: a socket's path is limited
    try:
        if (user := _somebody()) is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        server = PostgreSQL(binaries, folder, world)
        try:
            server.start()
            yield server
        finally:
            server.process.end()
    finally:
        shutil.rmtree(folder)


def _binaries() -> Path:
    told = os.environ.get(VARIABLE)
    candidates = [Path(told)] if told else sorted(_DEBIAN.glob("*/bin"), reverse=True)
    for folder in candidates:
        if (folder / "initdb").exists():
            return folder
    raise StartFailed(f"no PostgreSQL here: install Debian's package postgresql, or set {VARIABLE}")


def _somebody() -> pwd.struct_passwd | None:
    """Whom to run as where we are root, as whom PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return None
    everybody = {user.pw_name: user for user in pwd.getpwall()}
    return everybody.get("postgres") or everybody["nobody"]


def _as_somebody() -> Sequence[str]:
    user = _somebody()
    if user is None:
        return []
    setpriv = shutil.which("setpriv") or "setpriv"
    return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
