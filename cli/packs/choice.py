"""Which pack a command line chose, as inference's settings have it."""

from __future__ import annotations

from pathlib import Path


def chosen_pack(pack: str | None, models_dir: Path | None) -> dict[str, object]:
    """Settings to lay over the environment; what was not given is left to it."""
    given: dict[str, object] = {"pack": pack, "models_dir": models_dir}
    return {name: value for name, value in given.items() if value is not None}
