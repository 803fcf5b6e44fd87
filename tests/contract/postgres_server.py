"""A PostgreSQL server of the tests' own, from the machine's packages."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from tests.contract.frozen import freeze

_DEBIAN = Path("/usr/lib/postgresql")
_OPTIONS = "-h '' -k {folder} -p 5432 -F -c max_connections=200 -c log_min_messages=fatal"


def find_binaries() -> Path | None:
    """The folder of `initdb` and `pg_ctl`: FACESEARCH_TEST_POSTGRES_BIN, or Debian's newest."""
    told = os.environ.get("FACESEARCH_TEST_POSTGRES_BIN")
    candidates = [Path(told)] if told else sorted(_DEBIAN.glob("*/bin"), reverse=True)
    return next((folder for folder in candidates if (folder / "initdb").exists()), None)


class PostgresServer:
    """Listens on a Unix socket in its own folder only. Nothing is synced: it need not last."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self.folder = folder
        self._run("initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8")

    def start(self) -> None:
        """Returns when the server answers."""
        options = _OPTIONS.format(folder=self.folder)
        log = self.folder / "log"
        self._run("pg_ctl", "start", "-w", "-D", self.folder / "data", "-l", log, "-o", options)

    def kill(self) -> None:
        """End every process of the server at once, as a crash does."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self.folder / "data")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """All its processes stand still and keep their connections, as on a stopped machine."""
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        processes = [postmaster, *map(int, children)]
        for process in processes:
            freeze(process)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def program(self, name: str) -> Path:
        """A client that came with the server, such as psql."""
        return self._binaries / name

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    async def empty_database(self) -> str:
        """The URL of a database without tables. The same each time: a new one is 1,000 files."""
        await self.execute("postgres", "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return self.url("postgres")

    async def execute(self, database: str, statement: str) -> None:
        connection = await asyncpg.connect(self.url(database))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _run(self, program: str, *arguments: str | Path) -> None:
        # The output goes to a file: a started server would hold a pipe open.
        with (self.folder / "out").open("ab") as out:
            subprocess.run(
                [*_as_somebody(), self._binaries / program, *arguments],
                check=True,
                stdout=out,
                stderr=out,
                cwd=self.folder,
            )


@contextmanager
def running(binaries: Path) -> Iterator[PostgresServer]:
    """A server that is gone at the end, with all its files."""
    folder = Path(tempfile.mkdtemp(prefix="facesearch-pg-"))  # short: a socket's path is limited
    if (user := _unprivileged()) is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    try:
        server = PostgresServer(binaries, folder)
        server.start()
        yield server
        if (folder / "data" / "postmaster.pid").exists():
            server.kill()
    finally:
        shutil.rmtree(folder)


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom to run as where we are root, as whom PostgreSQL refuses to run."""
    if os.geteuid() != 0:
        return None
    everybody = {user.pw_name: user for user in pwd.getpwall()}
    return everybody.get("postgres") or everybody["nobody"]


def _as_somebody() -> Sequence[str]:
    user = _unprivileged()
    if user is None:
        return []
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
