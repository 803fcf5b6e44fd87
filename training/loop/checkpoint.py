"""Checkpoints that are whole or not there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch

from training.errors import TrainingError

State = dict[str, object]
"""Tensors, numbers and dictionaries of them: what ``torch.load(weights_only=True)`` takes."""


def save(state: State, file: Path) -> None:
    """Write a checkpoint beside its place and move it there: a kill leaves the last one whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    with draft.open("wb") as stream:
        torch.save(state, stream)
        stream.flush()
        os.fsync(stream.fileno())
    draft.replace(file)


def load(file: Path) -> State | None:
    """The checkpoint; None: there is none yet. Raises TrainingError if it cannot be read."""
    if not file.exists():
        return None
    try:
        state: State = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError) as error:
        raise TrainingError(f"{file} is no checkpoint: {error}") from error
    return state


def averaged(file: Path) -> Mapping[str, torch.Tensor]:
    """The averaged weights of a checkpoint, which are the ones to use.

    Raises TrainingError if there are none.
    """
    state = load(file)
    if state is None:
        raise TrainingError(f"there is no {file}; train first")
    average = state.get("average")
    if not isinstance(average, dict):
        raise TrainingError(f"{file} holds no averaged weights")
    return average


def write_json(values: Mapping[str, object], file: Path) -> None:
    """Write a small JSON file at once, for whoever looks into the folder."""
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    draft.replace(file)
