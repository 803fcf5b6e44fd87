"""Where things lie unless the command line says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("FACESEARCH_SHARED") or ROOT.parent / "shared")
"""The teacher's weights and the images; not part of the repository."""
PREPARED = ROOT / "training" / "prepared"
CHECKPOINTS = ROOT / "training" / "checkpoints"
