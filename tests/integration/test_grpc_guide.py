"""The client in docs/grpc.md runs as it is printed there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.processes import start_inference

pytestmark = pytest.mark.pack

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "grpc.md"


def test_the_ten_line_client_prints_the_face_of_a_photo(
    tmp_path: Path, pack_dir: Path, shared: Path
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    client = next(block for block in blocks if "InferenceServiceStub" in block)
    # Without blank lines and imports it is ten lines at most, as promised.
    lines = [line for line in client.splitlines() if line and not line.startswith(("import", "fr"))]
    assert len(lines) <= 10
    with start_inference(pack_dir) as inference:
        script = tmp_path / "client.py"
        script.write_text(client.replace("127.0.0.1:50051", inference.address))
        done = subprocess.run(
            [sys.executable, str(script), str(shared / "data" / "photos" / "RD_d3.jpeg")],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
    assert done.returncode == 0, done.stderr
    assert re.match(r"0\.\d+ x: [\d.]+\ny: [\d.]+\nwidth: [\d.]+\nheight: [\d.]+\n \[", done.stdout)
