"""The contract's package is found from wherever its caller lies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_a_folder_of_this_name_beside_the_caller_does_not_hide_it(tmp_path: Path) -> None:
    # What a clone looks like from the folder above it.
    (tmp_path / "facesearch" / "inference").mkdir(parents=True)
    (tmp_path / "facesearch" / "inference" / "__init__.py").touch()
    caller = tmp_path / "caller.py"
    caller.write_text("from facesearch.inference.v1 import inference_pb2\n", encoding="utf-8")
    ended = subprocess.run([sys.executable, caller], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
