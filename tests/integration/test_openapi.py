"""The running edge against its own OpenAPI document: no 5xx, every answer as documented."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.processes import clean_environment
from tests.integration.system import KEY, start_system

pytestmark = [pytest.mark.pack, pytest.mark.slow, pytest.mark.timeout(600)]

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
    "use_after_free",
)
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "30")
"""For each operation; more of them by hand."""


def test_every_answer_is_as_documented(tmp_path: Path, pack_dir: Path, shared: Path) -> None:
    photos = [shared / "data" / "photos" / name for name in ("RD_d3.jpeg", "attribute_7242.jpg")]
    with start_system(tmp_path / "data", pack_dir) as system:
        done = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("schemathesis")), "run"),
                f"{system.edge.url}/openapi.json",
                *("--header", f"X-Api-Key: {KEY}"),
                *("--checks", ",".join(CHECKS)),
                *("--max-examples", EXAMPLES, "--seed", "20261120"),
                *("--phases", "examples,coverage,fuzzing"),
                *("--request-timeout", "30", "--warnings", "off", "--no-color"),
                "--continue-on-failure",
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=clean_environment(
                {
                    "SCHEMATHESIS_HOOKS": "tests.integration.schema_hooks",
                    "SCHEMA_PHOTOS": os.pathsep.join(map(str, photos)),
                    "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
                }
            ),
        )
        assert done.returncode == 0, done.stdout[-15_000:] + done.stderr[-2_000:]
        assert system.edge.returncode is None
