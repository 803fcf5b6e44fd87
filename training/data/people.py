"""Who may be trained on: a fifth of the people is held out, and some are refused altogether."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path

from training.errors import TrainingError

HELD_OUT_ONE_IN = 5


def is_held_out(person: str) -> bool:
    """Whether a person is kept for validation: decided by the name alone, alike on any machine."""
    return int(hashlib.sha256(person.encode()).hexdigest(), 16) % HELD_OUT_ONE_IN == 0


def person_of(image_name: str) -> str:
    """The person of an image named as LFW does it: ``Abel_Pacheco/Abel_Pacheco_0001.webp``."""
    stem = image_name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return re.sub(r"_[0-9]{4,}$", "", stem)


class RefusedPeople:
    """People nobody may train on: those of LFW's View 2 sets 8–10, the acceptance test."""

    def __init__(self, names: frozenset[str]) -> None:
        self._keys = frozenset(_key(name) for name in names)

    @classmethod
    def read(cls, file: Path) -> RefusedPeople:
        """The names of a text file, one a line. Raises TrainingError: there is no list."""
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except OSError as error:
            raise TrainingError(f"the list of refused people cannot be read: {error}") from error
        names = frozenset(line.strip() for line in lines if line.strip())
        if not names:
            raise TrainingError(f"{file} names nobody; nothing is prepared without that list")
        return cls(names)

    def __contains__(self, person: object) -> bool:
        return isinstance(person, str) and _key(person) in self._keys


def _key(name: str) -> str:
    """A name without accents, case and punctuation: other sets write the same people otherwise."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z]", "", plain)
