"""kill -9 in the middle of a backup and of a restore: run again, they come to their end."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from cli.backing_up.backup import BackupOrder, take_backup
from cli.backing_up.restore import RestoreOrder, restore_base
from storage.backups.errors import NoBackup
from storage.records.transfer import rows_there
from tests.contract.bases import base_in, check_of, content_of, fill
from tests.integration.processes import run

pytestmark = pytest.mark.slow

SECONDS = 120.0


@pytest.fixture(autouse=True)
def _settings_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("STORAGE_"):
            monkeypatch.delenv(name)


def killed(place: str, *arguments: str | Path) -> None:
    """Run a command; it is killed when it is about to make this call."""
    command = [sys.executable, "-m", "tests.faults.killed_command", place, *map(str, arguments)]
    with run(command, {}) as process:
        assert process.wait(SECONDS) == -signal.SIGKILL, process.text()


async def test_killed_at_any_point_a_backup_and_a_restore_are_run_again(tmp_path: Path) -> None:
    data, folder, target = tmp_path / "data", tmp_path / "backup", tmp_path / "restored"
    async with base_in(data) as stores:
        await fill(stores)
        before = await content_of(stores)

    # Everything is copied, and only the manifest is missing.
    killed("storage.backups.folder:BackupFolder.complete", "backup", folder, "--data-dir", data)
    with pytest.raises(NoBackup, match="is not complete"):
        await restore_base(RestoreOrder(target, folder))
    report = await take_backup(BackupOrder(data, folder))
    assert (report.photos.copied, report.photos.kept) == (0, len(before.photos))
    assert [each.name for each in (folder / "parts").iterdir()] == [report.manifest.id]

    # Photos and vectors are there, and some of the records are in a transaction.
    killed("storage.backups.records:_noted_as_lost", "restore", folder, "--data-dir", target)
    url = f"sqlite:///{target / 'records.sqlite'}"
    assert await rows_there(url, timeout_seconds=30) == {}
    await restore_base(RestoreOrder(target, folder))
    async with base_in(target) as stores:
        assert await content_of(stores) == before
        assert (await check_of(stores)).is_clean
