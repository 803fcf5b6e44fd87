"""Runners that do what a test tells them, on the worker's thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from inference.errors import ItemError


@dataclass
class GatedRunner:
    """Doubles its inputs; holds each run until the test opens the gate.

    `batches` is what reached the session, `padded_sizes` what it was to be padded to.
    """

    poison: frozenset[int] = frozenset()
    batches: list[list[int]] = field(default_factory=list)
    padded_sizes: list[int] = field(default_factory=list)
    made: int = 0
    started: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    is_gated: bool = True

    def make(self) -> GatedRunner:
        """The factory of the batcher under test: counts how often it is asked."""
        self.made += 1
        return self

    def __call__(self, inputs: Sequence[int], padded_size: int) -> Sequence[float | ItemError]:
        self.batches.append(list(inputs))
        self.padded_sizes.append(padded_size)
        self.started.release()
        if self.is_gated:
            assert self.gate.acquire(timeout=30), "the test never opened the gate"
        if self.poison & set(inputs):
            raise RuntimeError("the device fell over")
        return [2.0 * value for value in inputs]

    def open(self) -> None:
        """Let every run through from now on."""
        self.is_gated = False
        self.gate.release(1000)
