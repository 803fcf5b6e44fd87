"""API keys in the records of a base."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cli.base.audit import CommandAudit, command_audit
from cli.base.records import records_of
from cli.errors import CommandError, UsageError
from edge.keys import Scope, digest_of
from storage.errors import AlreadyExists
from storage.records.model import ApiKey
from storage.records.port import RecordStore

FIRST_KEY = "default"
_SECRET_BYTES = 32
_ALL_SCOPES = frozenset(Scope)
_UNTOLD = "EDGE_AUDIT_LOG cannot be written: {}"


async def create_key(
    data_dir: Path, name: str, *, scopes: frozenset[str], collections: frozenset[str] | None
) -> str:
    """Make a key and store its digest; the key itself, which is kept nowhere.

    Raises UsageError if an unrevoked key has the name, CommandError if the audit log cannot be
    written: there is no key then.
    """
    with command_audit() as audit:
        async with records_of(data_dir, is_made=True) as records:
            return await _add(records, audit, name, scopes, collections)


async def stored_keys(data_dir: Path) -> Sequence[ApiKey]:
    """All keys, revoked ones included."""
    async with records_of(data_dir) as records:
        return await records.keys()


async def revoke_key(data_dir: Path, name: str) -> bool:
    """Revoke the key of that name; False if there is none.

    Raises CommandError if the audit log cannot be written; the key is revoked all the same.
    """
    with command_audit() as audit:
        async with records_of(data_dir) as records:
            is_revoked = await records.revoke_key(name)
        if is_revoked:
            audit.note_done("revoke_key", f"the key {name!r} is revoked", name=name)
        return is_revoked


async def first_key(data_dir: Path) -> str | None:
    """The first key of a base that has none; None if there is one already. Raises as create_key."""
    with command_audit() as audit:
        async with records_of(data_dir, is_made=True) as records:
            if any(key.revoked_at is None for key in await records.keys()):
                return None
            return await _add(records, audit, FIRST_KEY, _ALL_SCOPES, None)


async def _add(
    records: RecordStore,
    audit: CommandAudit,
    name: str,
    scopes: frozenset[str],
    collections: frozenset[str] | None,
) -> str:
    key = "fs_" + secrets.token_urlsafe(_SECRET_BYTES)
    try:
        await records.add_key(
            ApiKey(
                name=name,
                sha256=digest_of(key.encode()),
                scopes=frozenset(str(scope) for scope in scopes),
                collections=collections,
                created_at=datetime.now(UTC),
            )
        )
    except AlreadyExists:
        raise UsageError(
            f"there is a key {name!r} already", "choose another name, or revoke that one first"
        ) from None
    within = {} if collections is None else {"collections": ",".join(sorted(collections))}
    try:
        audit.note("create_key", name=name, scopes=",".join(sorted(scopes)), **within)
    except OSError as error:
        await records.revoke_key(name)
        raise CommandError("no key was made: " + _UNTOLD.format(error)) from error
    return key
