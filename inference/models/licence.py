"""What is known about the licence of a pack's weights. The code's own is another one."""

from __future__ import annotations

from pathlib import Path

from inference.models.pack import Pack

INSIGHTFACE_LICENCE = (
    "non-commercial research only, says InsightFace's model zoo; for another use ask InsightFace"
)
INSIGHTFACE_PACKS = frozenset({"antelopev2", "buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc"})
NOT_STATED = "not stated"


def licence_of(pack: Pack) -> str:
    """As the pack states it, else what its name tells, else "not stated"."""
    if pack.licence:
        return pack.licence
    return INSIGHTFACE_LICENCE if pack.id in INSIGHTFACE_PACKS else NOT_STATED


def licence_file(pack: Pack) -> Path | None:
    """The text of the licence, if it lies beside the weights."""
    files = sorted(file for file in pack.folder.glob("LICENSE*") if file.is_file())
    return files[0] if files else None
