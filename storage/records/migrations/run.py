"""Bring the tables to what this version of the code knows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import structlog
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from storage.errors import StoreMisconfigured

_log = structlog.get_logger(__name__)

# Any number, the same for all who migrate this database: the ASCII codes of "face".
_ADVISORY_LOCK = 0x66616365


def migrate(connection: Connection) -> None:
    """Run the steps that are missing, inside the connection's transaction: all of them or none.

    Any number of processes may start at once: in PostgreSQL an advisory lock lets one at a time
    in, in SQLite the transaction does (it was begun as a writer). Steps get their `Operations` as
    an argument, not through Alembic's module-level `op`, so two stores may open in one process.

    A newer version of the code may have been here, if it only added to the tables. Raises
    StoreMisconfigured if it did more.
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
        if not _is_usable(connection, scripts):
            msg = f"the records were written by a newer version of facesearch: {error}"
            raise StoreMisconfigured(msg) from error
        _log.warning("records_of_newer_version", reason=str(error))


def _is_usable(connection: Connection, scripts: ScriptDirectory) -> bool:
    """Whether newer code that was here says that this code can go on."""
    try:
        with connection.begin_nested():
            oldest = connection.scalar(text("SELECT oldest_code FROM schema_compatibility"))
    except SQLAlchemyError:
        return False  # the code that was here knew of no such table
    newest = scripts.get_current_head()
    return oldest is not None and newest is not None and str(oldest) <= newest
