"""What `facesearch check` says of a base, at the end of a run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.kit.child import Setting
from bench.kit.world import ROOT

_LAST_CHARACTERS = 2_000


class CheckFailed(Exception):
    """`facesearch check` could not do its work. Carries its last lines."""


def checked(
    storage: Mapping[str, Setting], *options: str, checkout: Path | None = None
) -> Mapping[str, object]:
    """Its report, as JSON has it. Raises CheckFailed.

    storage: settings of where the base is. checkout: of which source tree [this one].
    """
    command: Sequence[str] = [sys.executable, "-m", "cli.main", "check", "--json", *options]
    done = subprocess.run(
        command,
        cwd=checkout or ROOT,
        env=os.environ | {name: str(value) for name, value in storage.items()},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        report = json.loads(done.stdout)
    except ValueError as error:
        raise CheckFailed(done.stderr[-_LAST_CHARACTERS:]) from error
    if not isinstance(report, dict):
        raise CheckFailed(done.stdout[-_LAST_CHARACTERS:])
    return report


def problems_of(report: Mapping[str, object]) -> int:
    """How many the check found; -1: it did not say."""
    count = report.get("problems")
    return count if isinstance(count, int) else -1
