"""What commands do to a base, in its audit log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from cli.errors import CommandError, UsageError
from edge.audit import STDOUT, AuditEntry, open_audit_file, user_actor
from edge.audit_file import LineWriter, StandardStream
from edge.errors import StartRefused
from edge.settings import load_settings

_STDERR = 2


class CommandAudit:
    """The audit log of one command; without a writer it takes everything and keeps nothing."""

    def __init__(self, writer: LineWriter | None) -> None:
        self._writer = writer

    def note(self, action: str, **details: str | int) -> None:
        """Whoever runs this has done that. Raises OSError if the line cannot be written."""
        if self._writer is not None:
            entry = AuditEntry(action, user_actor(), details=details)
            self._writer.append(entry.line(datetime.now(UTC)))

    def note_done(self, action: str, done: str, **details: str | int) -> None:
        """The same of what cannot be taken back: `done` says that it was.

        Raises CommandError if the line cannot be written.
        """
        try:
            self.note(action, **details)
        except OSError as error:
            raise CommandError(f"{done}, but EDGE_AUDIT_LOG cannot be written: {error}") from error


@contextmanager
def command_audit() -> Iterator[CommandAudit]:
    """The log that EDGE_AUDIT_LOG names, as the edge takes it.

    What goes to standard output there goes to standard error here: a command's output is its
    result. Raises UsageError for a log that cannot be written, so open it before anything is done.
    """
    try:
        setting = load_settings().audit_log
        writer = _writer(setting)
    except StartRefused as error:
        raise UsageError(str(error)) from error
    try:
        yield CommandAudit(writer)
    finally:
        if writer is not None:
            writer.close()


def _writer(setting: str) -> LineWriter | None:
    if not setting:
        return None
    return StandardStream(_STDERR) if setting == STDOUT else open_audit_file(setting)
