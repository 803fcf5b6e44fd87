"""Keys that are made and revoked by commands, in the audit log of the base."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
from pathlib import Path
from typing import Any

import pytest

from cli.base.audit import CommandAudit
from cli.base.keys import create_key, first_key, revoke_key, stored_keys
from cli.errors import CommandError, UsageError


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("EDGE_", "STORAGE_", "API_KEY")):
            monkeypatch.delenv(name)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    monkeypatch.setenv("EDGE_AUDIT_LOG", str(path))
    return path


def entries(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


async def test_a_key_is_told_when_it_is_made_and_when_it_is_revoked(
    log: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    first = await first_key(data)
    key = await create_key(
        data, "guests", scopes=frozenset({"search", "enrol"}), collections=frozenset({"a", "b"})
    )
    assert await revoke_key(data, "guests")
    assert not await revoke_key(data, "nobody")

    told = entries(log)
    assert [(entry["action"], entry["name"]) for entry in told] == [
        ("create_key", "default"),
        ("create_key", "guests"),
        ("revoke_key", "guests"),
    ]
    assert {entry["actor"] for entry in told} == {f"user:{getpass.getuser()}"}
    assert (told[1]["scopes"], told[1]["collections"]) == ("enrol,search", "a,b")
    assert "collections" not in told[0]
    assert first is not None
    assert not any(secret in json.dumps(told) for secret in (first, key))


def test_without_the_setting_nothing_is_written(tmp_path: Path) -> None:
    asyncio.run(first_key(tmp_path / "data"))
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


async def test_a_log_that_cannot_be_opened_is_told_before_a_key_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGE_AUDIT_LOG", str(tmp_path / "nowhere" / "audit"))
    with pytest.raises(UsageError, match=r"EDGE_AUDIT_LOG=.* No such file or directory"):
        await first_key(tmp_path / "data")
    assert not (tmp_path / "data").exists()


async def test_on_standard_output_a_command_writes_its_result_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGE_AUDIT_LOG", "stdout")
    await first_key(tmp_path / "data")
    written = capfd.readouterr()
    assert json.loads(written.err)["action"] == "create_key"
    assert written.out == ""


async def test_no_key_stays_whose_line_could_not_be_written(
    monkeypatch: pytest.MonkeyPatch, log: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    await create_key(data, "old", scopes=frozenset({"search"}), collections=None)

    def full(_self: CommandAudit, _action: str, **_details: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CommandAudit, "note", full)
    with pytest.raises(CommandError, match="no key was made: EDGE_AUDIT_LOG cannot be written"):
        await create_key(data, "new", scopes=frozenset({"search"}), collections=None)
    # To revoke is the safe side: it is done, and told as undone in the log.
    with pytest.raises(CommandError, match="'old' is revoked, but"):
        await revoke_key(data, "old")
    assert all(key.revoked_at is not None for key in await stored_keys(data))
