"""One benchmark in a process of its own, so that none leaves anything to the next."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.kit.result import Form, Result
from bench.kit.world import ROOT
from bench.report.report import Failure

_LIMIT_SECONDS = {Form.SHORT: 300.0, Form.FULL: 4 * 3600.0}
_STOP_SECONDS = 90.0
"""To end its processes in order."""
_LAST_LINES = 20


def run_benchmark(
    name: str, form: Form, options: Sequence[str], limit_seconds: float | None = None
) -> Result | Failure:
    """`python -m bench.NAME`: its result, or why there is none.

    options: further ones of its command line. limit_seconds: when it is stopped; None: generous.
    What it prints is shown, the last lines of its errors are kept.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        output, errors = Path(folder) / "result.json", Path(folder) / "errors.log"
        command = [sys.executable, "-m", f"bench.{name}", *options, "--output", str(output)]
        if form is Form.FULL:
            command.append("--full")
        with errors.open("wb") as stream:
            process = subprocess.Popen(command, cwd=ROOT, stderr=stream)
        try:
            code = process.wait(limit_seconds or _LIMIT_SECONDS[form])
            ended = f"exit code {code}" if code else None
        except subprocess.TimeoutExpired:
            ended = f"stopped after {limit_seconds or _LIMIT_SECONDS[form]:g} s"
        finally:
            _stop(process)
        if ended is None and output.is_file():
            report = json.loads(output.read_text("utf-8"))
            return Result.from_json(report["result"])
        lines = errors.read_text("utf-8", "replace").splitlines()
        return Failure(name, "\n".join([*lines[-_LAST_LINES:], ended or "it wrote no result"]))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it, in order if it still can."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
