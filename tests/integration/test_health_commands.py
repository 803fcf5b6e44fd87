"""What HEALTHCHECK of the images runs, against the real processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.faults.outages import until
from tests.integration.processes import (
    ROOT,
    clean_environment,
    inference_environment,
    run,
)
from tests.integration.system import start_edge

pytestmark = [pytest.mark.slow, pytest.mark.pack]


def health(module: str, environment: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and what it prints, with the environment of the process that is asked about."""
    ended = subprocess.run(
        [sys.executable, "-m", f"{module}.health"],
        cwd=ROOT,
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stderr == ""
    return ended.returncode, ended.stdout


def test_health_follows_the_processes_also_behind_tls(tmp_path: Path, pack_dir: Path) -> None:
    server = Authority("of this test").issue(tmp_path, "server")
    tls = {"TLS_CERT": str(server.certificate), "TLS_KEY": str(server.key)}
    socket = str(tmp_path / "socket")
    environment = inference_environment(pack_dir, UNIX_SOCKET=socket, **tls)
    with run([sys.executable, "-m", "inference"], environment) as inference:
        inference.wait_until_serving()
        assert health("inference", environment) == (0, "SERVING\n")
        with start_edge(tmp_path / "data", f"unix:{socket}") as edge:
            asked = {"EDGE_PORT": str(edge.port)}
            code, said = health("edge", asked)
            assert code == 0, said
            inference.terminate()
            code, said = health("inference", environment)
            assert code == 1
            assert "UNAVAILABLE" in said
            # An edge remembers for a second how its dependencies were.
            until(lambda: health("edge", asked)[0] == 1, "the edge sees that inference is away")
            assert '"inference"' in health("edge", asked)[1]
            assert edge.terminate() == 0
        code, said = health("edge", asked)
        assert code == 1
        assert "does not answer" in said
