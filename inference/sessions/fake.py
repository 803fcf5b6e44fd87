"""A session without a runtime, for tests of queues: the test chooses what it answers, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event

import numpy as np
from numpy.typing import NDArray

from inference.sessions.session import TensorInfo

Feeds = Mapping[str, NDArray[np.float32]]
Answer = Callable[[Feeds], list[NDArray[np.float32]]]
"""From the feeds to the outputs. May raise (a broken session) or return NaN (a broken model)."""

STRIDES = (8, 16, 32)
ANCHORS = 2


class FakeSession:
    """Answers with a function, notes every run, and can be held back by an event."""

    def __init__(
        self,
        inputs: Sequence[TensorInfo],
        outputs: Sequence[TensorInfo],
        answer: Answer,
        *,
        gate: Event | None = None,
        entered: Event | None = None,
        gate_timeout_seconds: float = 30.0,
        device: str = "cpu",
    ) -> None:
        """A session that computes `answer`.

        gate: a run waits until it is set, then goes on. entered: set by each run as it begins, so
        that a test knows that the worker is inside. A gate that nobody opens within
        `gate_timeout_seconds` raises TimeoutError, so that a broken test ends.
        """
        self.runs: list[tuple[int, ...]] = []
        """Shape of the first feed of every run, in order; the first figure is the batch size."""
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)
        self._answer = answer
        self._gate = gate
        self._entered = entered
        self._gate_timeout_seconds = gate_timeout_seconds
        self._device = device

    @property
    def inputs(self) -> Sequence[TensorInfo]:
        return self._inputs

    @property
    def outputs(self) -> Sequence[TensorInfo]:
        return self._outputs

    @property
    def runtime(self) -> str:
        return "fake 1"

    @property
    def providers(self) -> Sequence[str]:
        return ("FakeExecutionProvider",)

    @property
    def device(self) -> str:
        return self._device

    @property
    def batch_sizes(self) -> list[int]:
        """Batch size of every run, in order."""
        return [shape[0] for shape in self.runs]

    def run(self, feeds: Feeds) -> list[NDArray[np.float32]]:
        self.runs.append(next(iter(feeds.values())).shape)
        if self._entered is not None:
            self._entered.set()
        if self._gate is not None and not self._gate.wait(self._gate_timeout_seconds):
            raise TimeoutError("the gate of the fake session was never opened")
        return self._answer(feeds)


def fake_recogniser(
    dim: int = 8,
    *,
    answer: Answer | None = None,
    gate: Event | None = None,
    entered: Event | None = None,
) -> FakeSession:
    """A recogniser of 112×112 crops whose embedding is a function of each crop alone.

    Crops with different means get different embeddings: a test sees rows that were mixed up.
    """

    def by_mean(feeds: Feeds) -> list[NDArray[np.float32]]:
        means = next(iter(feeds.values())).mean(axis=(1, 2, 3))
        angles = means[:, None] * np.arange(1, dim + 1, dtype=np.float32)
        return [np.cos(angles).astype(np.float32)]

    return FakeSession(
        inputs=[TensorInfo("input", (None, 3, 112, 112))],
        outputs=[TensorInfo("embedding", (None, dim))],
        answer=answer if answer is not None else by_mean,
        gate=gate,
        entered=entered,
    )


def fake_detector(
    faces: Callable[[NDArray[np.float32]], int] = lambda _image: 1,
    *,
    score: float = 0.9,
    answer: Answer | None = None,
    gate: Event | None = None,
    entered: Event | None = None,
) -> FakeSession:
    """A detector with the outputs and the interleaved rows of SCRFD.

    faces: from one image as the network gets it, (3, size, size), to how many faces it shows: 0 to
    4. They are a quarter of the image wide and stand in a row, each with upright landmarks.
    """

    def in_a_row(feeds: Feeds) -> list[NDArray[np.float32]]:
        batch = next(iter(feeds.values()))
        return detector_rows([faces(image) for image in batch], batch.shape[-1], score)

    names = [f"{kind}_{stride}" for kind in ("score", "box", "landmarks") for stride in STRIDES]
    widths = [width for width in (1, 4, 10) for _ in STRIDES]
    return FakeSession(
        inputs=[TensorInfo("input", (None, 3, None, None))],
        outputs=[
            TensorInfo(name, (None, width)) for name, width in zip(names, widths, strict=True)
        ],
        answer=answer if answer is not None else in_a_row,
        gate=gate,
        entered=entered,
    )


def detector_rows(faces: Sequence[int], size: int, score: float) -> list[NDArray[np.float32]]:
    """What SCRFD would put out for a batch of square images.

    faces: how many faces each image shows, 0 to 4. size: pixels a side, a multiple of 128. Returns
    nine arrays (rows, c), rows in the order row, column, image, anchor.
    """
    outputs: list[NDArray[np.float32]] = []
    for width in (1, 4, 10):
        for stride in STRIDES:
            cells = size // stride
            rows = np.zeros((cells, cells, len(faces), ANCHORS, width), dtype=np.float32)
            if stride == STRIDES[-1]:
                for image, count in enumerate(faces):
                    _put_faces(rows, image, count, score)
            outputs.append(rows.reshape(-1, width))
    return outputs


def _put_faces(rows: NDArray[np.float32], image: int, count: int, score: float) -> None:
    """Write `count` faces into the head of the coarsest stride, in units of the stride."""
    cells, width = rows.shape[0], rows.shape[-1]
    half = cells / 8
    for face in range(count):
        column, row = int((face + 0.5) * cells / 4), cells // 2
        match width:
            case 1:
                rows[row, column, image, 0] = score
            case 4:
                rows[row, column, image, 0] = half
            case _:
                rows[row, column, image, 0] = UPRIGHT * half


UPRIGHT = np.array([-0.4, -0.3, 0.4, -0.3, 0.0, 0.1, -0.3, 0.5, 0.3, 0.5], dtype=np.float32)
"""Landmarks of an upright face around its centre, in halves of the box."""
