"""What goes wrong while training, in words for whoever started it."""

from __future__ import annotations


class TrainingError(Exception):
    """Missing or unusable data, or a checkpoint that does not fit."""
