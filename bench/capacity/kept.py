"""Profiles and comparisons that were measured and kept in the repository."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import TypeAdapter

from bench.capacity.comparison import Comparison
from bench.capacity.profile import PROFILES, Profile

_COMPARISON = "-comparison.json"


def kept_profiles(folder: Path = PROFILES) -> list[Profile]:
    """All of them; that of mbf128 first, then by name."""
    files = [file for file in folder.glob("*.json") if not file.name.endswith(_COMPARISON)]
    profiles = [Profile.load(file) for file in files]
    return sorted(profiles, key=lambda one: (one.pack != "mbf128", one.pack))


def keep_comparison(pack: str, comparison: Comparison, folder: Path = PROFILES) -> Path:
    """Write it down beside the profile."""
    file = folder / f"{pack}{_COMPARISON}"
    plain = TypeAdapter(Comparison).dump_python(comparison, mode="json")
    file.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return file


def kept_comparison(pack: str, folder: Path = PROFILES) -> Comparison | None:
    """None: it was never compared."""
    file = folder / f"{pack}{_COMPARISON}"
    if not file.is_file():
        return None
    return TypeAdapter(Comparison).validate_json(file.read_bytes())
