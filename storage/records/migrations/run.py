"""Bring the tables to what this version of the code knows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import Connection, text

from storage.errors import StoreMisconfigured

# Any number, the same for all who migrate this database: the ASCII codes of "face".
_ADVISORY_LOCK = 0x66616365


def migrate(connection: Connection) -> None:
    """Run the steps that are missing, inside the connection's transaction: all of them or none.

    Any number of processes may start at once: in PostgreSQL an advisory lock lets one at a time
    in, in SQLite the transaction does (it was begun as a writer). Steps get their `Operations` as
    an argument, not through Alembic's module-level `op`, so two stores may open in one process.

    Raises StoreMisconfigured if a newer version of the code has been here.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
    scripts = ScriptDirectory(str(Path(__file__).parent))

    def missing(done: tuple[str, ...], _: MigrationContext) -> Iterable[Any]:
        steps = reversed(list(scripts.iterate_revisions("heads", done, implicit_base=True)))
        return [MigrationStep.upgrade_from_script(scripts.revision_map, step) for step in steps]

    context = MigrationContext.configure(connection, opts={"fn": missing})
    try:
        context.run_migrations(op=Operations(context))
    except RevisionError as error:
        msg = f"the records were written by a newer version of facesearch: {error}"
        raise StoreMisconfigured(msg) from error
