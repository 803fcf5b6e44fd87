"""The audit log: who wrote or removed what, when, and what came of it. One JSON object a line."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import structlog

from edge.audit_file import AuditFile, LineWriter, StandardStream
from edge.errors import AuditUnavailable, StartRefused
from edge.facts import current_facts
from edge.outages import Outages
from edge.problems import kind_of

STDOUT = "stdout"
_TEMPORARY = 500  # the first status that is not the caller's doing
_OUTAGE = "audit log"

_log = structlog.get_logger("edge.audit")


class AuditOutcome(StrEnum):
    """What came of it."""

    DONE = "done"
    UNCHANGED = "unchanged"  # it was so already
    REFUSED = "refused"  # nothing happened, and the caller has to change something
    FAILED = "failed"  # a part was away
    UNKNOWN = "unknown"  # cut off by the deadline or the end of the process


@dataclass(slots=True)
class AuditEntry:
    """One action. Whoever does it fills in what it learns on the way."""

    action: str
    """Such as put_photo; docs/audit.md lists them."""
    actor: str
    """Who: `key:` and the name of an API key, or `user:` and who ran a command."""
    request_id: str | None = None
    collection_id: str | None = None
    """None: none was named. For remove_all that is the whole base."""
    photo_id: str | None = None
    outcome: AuditOutcome = AuditOutcome.DONE
    code: str | None = None
    """Of the error, where there was one."""
    details: dict[str, str | int] = field(default_factory=dict)
    """What else there is to say: names and counts, never an image or a vector."""

    def line(self, now: datetime) -> bytes:
        """As it is written, without the end of the line: ASCII, so that no name can break it."""
        fields: Mapping[str, object] = {
            "time": now.astimezone(UTC).isoformat(timespec="microseconds"),
            "event": "audit",
            "actor": self.actor,
            "action": self.action,
            "outcome": self.outcome,
            "code": self.code,
            "collection_id": self.collection_id,
            "photo_id": self.photo_id,
            "request_id": self.request_id,
            **self.details,
        }
        return json.dumps(fields, ensure_ascii=True, separators=(",", ":")).encode()


def key_actor(name: str) -> str:
    """Whoever has the API key of that name."""
    return f"key:{name}"


def user_actor() -> str:
    """Whoever runs this process."""
    try:
        return f"user:{getpass.getuser()}"
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return "user:unknown"


class AuditLog:
    """Writes entries, in a thread of its own: a disk that hangs must not hold up searches.

    An action that has happened is never told as failed because its line could not be written. Such
    lines are kept, said in the service's own log, and written once that is possible; until then
    every further action is refused before it begins.
    """

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        # Touched by that thread alone, but for the question whether there are any. Of as many
        # actions as were in flight when the first line could not be written, so they are few.
        self._unwritten: deque[bytes] = deque()
        self._outages = Outages(_log)

    async def require(self) -> None:
        """Return if lines can be written, as far as one can know. Raises AuditUnavailable."""
        if self._unwritten:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._catch_up)
        if self._unwritten:
            raise AuditUnavailable("the audit log cannot be written")

    @asynccontextmanager
    async def action(
        self, action: str, *, collection_id: str | None = None, photo_id: str | None = None
    ) -> AsyncIterator[AuditEntry]:
        """Writes the line of what is done inside, once it is done or has failed.

        collection_id, photo_id: as they were asked for. Raises AuditUnavailable before
        anything is done, and whatever is raised inside.
        """
        await self.require()
        facts = current_facts.get()
        caller = None if facts is None else facts.caller
        entry = AuditEntry(
            action,
            user_actor() if caller is None else key_actor(caller.name),
            request_id=None if facts is None else facts.request_id,
            collection_id=collection_id,
            photo_id=photo_id,
        )
        try:
            yield entry
        except Exception as error:  # passed on: here it is only told
            kind = kind_of(error)
            entry.outcome = (
                AuditOutcome.FAILED if kind.status >= _TEMPORARY else AuditOutcome.REFUSED
            )
            entry.code = kind.code
            await self.write(entry)
            raise
        except BaseException:  # cancelled: there is no time left to wait for the line
            entry.outcome = AuditOutcome.UNKNOWN
            self._thread.submit(self._write, entry)
            raise
        await self.write(entry)

    async def write(self, entry: AuditEntry) -> None:
        """Write one line; what keeps it from being written is in the log, and in `require`."""
        # The line is of something that has happened: it is written whoever stops waiting for it.
        await asyncio.shield(asyncio.wrap_future(self._thread.submit(self._write, entry)))

    async def close(self) -> None:
        """Write what is left, and release the file."""
        await asyncio.to_thread(self._end)

    def _write(self, entry: AuditEntry) -> None:
        line = entry.line(datetime.now(UTC))
        self._unwritten.append(line)
        self._catch_up()
        if self._unwritten:
            _log.error("audit_line_not_written", line=line.decode())

    def _catch_up(self) -> None:
        while self._unwritten:
            try:
                self._writer.append(self._unwritten[0])
            except OSError as error:
                waiting = len(self._unwritten)
                self._outages.away(_OUTAGE, "audit_log_away", cause=str(error), waiting=waiting)
                return
            self._unwritten.popleft()
            self._outages.back(_OUTAGE)

    def _end(self) -> None:
        self._thread.shutdown()
        self._catch_up()
        self._writer.close()


def open_audit_log(setting: str) -> AuditLog | None:
    """The log that EDGE_AUDIT_LOG names; None: there is none. Raises StartRefused."""
    if not setting:
        return None
    if setting == STDOUT:
        return AuditLog(StandardStream(1))
    return AuditLog(open_audit_file(setting))


def open_audit_file(path: str) -> AuditFile:
    """The file that EDGE_AUDIT_LOG names. Raises StartRefused."""
    try:
        return AuditFile(Path(path))
    except OSError as error:
        raise StartRefused(
            f"EDGE_AUDIT_LOG={path} cannot be appended to: {error.strerror or error}; "
            "make its folder, let this user write there, or unset it"
        ) from error
