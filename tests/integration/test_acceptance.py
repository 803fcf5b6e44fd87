"""The acceptance's checks on the running service, and the database that it starts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench.acceptance.calls import calls_to
from bench.acceptance.checks import CHECKS
from bench.acceptance.findings import Findings
from bench.acceptance.operations import DOCUMENTED
from bench.acceptance.postgres import started_postgres
from bench.acceptance.samples import find_samples
from bench.acceptance.trial import Names, Trial, run_check
from bench.kit.picture_source import picture_source
from bench.kit.postgres import postgres_binaries
from bench.kit.world import World
from tests.conftest import missing
from tests.integration.system import KEY, start_system


@pytest.mark.pack
@pytest.mark.usefixtures("shared")
def test_every_check_passes_and_every_operation_is_called(tmp_path: Path, pack_dir: Path) -> None:
    with (
        start_system(tmp_path / "data", pack_dir) as system,
        calls_to(system.edge.url, KEY) as calls,
    ):
        names = Names("acceptance")
        samples = find_samples(calls, picture_source(None), names.collection("empty"))
        trial = Trial(calls, samples, names, Findings(), patience_seconds=0.0, is_ours=True)
        for check in CHECKS:
            run_check(check, trial)
    assert trial.findings.failed == []
    assert {called.operation for called in calls.log} >= set(DOCUMENTED)


def test_a_database_of_its_own_answers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    binaries = postgres_binaries()
    if binaries is None:
        missing("no PostgreSQL here: install Debian's package postgresql")
        raise AssertionError
    with started_postgres(binaries, World(tmp_path)) as url:
        folder = Path(url.partition("host=")[2])
        asked = subprocess.run(
            [binaries / "psql", "-h", folder, "-U", "postgres", "-tAc", "SELECT 6 * 7"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert asked.stdout.strip() == "42"
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
