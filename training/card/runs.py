"""The record of a training: how long, over how much, with which settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.card.figures import Figure
from training.errors import TrainingError


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What lies in a folder below ``checkpoints``, or was kept of it below ``record``."""

    state: Figure
    history: Sequence[Figure]
    """Its reports, oldest first."""
    earlier: Sequence[TrainingRun] = ()
    """The parts before it, each begun with the weights of one before."""

    @classmethod
    def read(cls, parts: Sequence[Path]) -> TrainingRun:
        """A run by its folder, the last of `parts`; the others are earlier, wherever they stopped.

        Raises TrainingError: there is none, or it is not at its end.
        """
        *earlier, folder = parts
        state = Figure.read(folder / "state.json")
        run = cls(state, _rows(folder / "history.jsonl"), [_part(one) for one in earlier])
        if run.steps != state.at("steps").whole():
            raise TrainingError(
                f"{folder}: stopped at step {run.steps:,} of {state.at('steps').whole():,}; "
                "a card is about a training that is done"
            )
        return run

    @property
    def steps(self) -> int:
        return self.state.at("step").whole()

    @property
    def samples(self) -> int:
        return self.state.at("samples").whole()

    @property
    def hours(self) -> float:
        """Time spent on steps: as it was kept, or by the speeds that the run reported."""
        if "hours" in self.state.items():
            return self.state.at("hours").number()
        a_step = self.samples / self.steps
        seconds, before = 0.0, 0
        for row in self.history:
            if "samples_a_second" in row.items():
                step = row.at("step").whole()
                seconds += (step - before) * a_step / row.at("samples_a_second").number()
                before = step
        if not seconds:
            raise TrainingError(f"{self.state.place}: no speed was reported beside it")
        return seconds / 3600

    @property
    def sets(self) -> Sequence[Figure]:
        """Names of the prepared sets: with faces, and of photos without."""
        settings = self.state.at("settings")
        named = [key for key in ("sets", "backgrounds") if key in settings.items()]
        return [name for key in named for name in settings.at(key).each()]

    def setting(self, *keys: str) -> Figure:
        """One of the settings that the run was started with."""
        return self.state.at("settings", *keys)


def _part(folder: Path) -> TrainingRun:
    return TrainingRun(Figure.read(folder / "state.json"), _rows(folder / "history.jsonl"))


def _rows(file: Path) -> list[Figure]:
    if not file.exists():
        return []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        return [
            Figure(json.loads(line), f"{file.name}:{number}")
            for number, line in enumerate(lines, start=1)
            if line.strip()
        ]
    except (OSError, ValueError) as error:
        raise TrainingError(f"{file} cannot be read: {error}") from error
