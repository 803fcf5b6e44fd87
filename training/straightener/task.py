"""The training of the straightener: crops moved by a known amount, which it is to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from inference.pipeline.align import TEMPLATE
from inference.pipeline.faces import FloatArray, Pixels
from training.loop.average import Average
from training.loop.checkpoint import State
from training.loop.optimiser import adamw, set_rate
from training.loop.schedule import Schedule
from training.recogniser import views
from training.recogniser.faces import TrainingFaces
from training.recogniser.network import to_input
from training.straightener.network import Straightener, moved

DECAY = 0.01
BETA = 0.3
"""Pixels from which on the smooth L1 counts an error as such."""
DRAWN_SEED = 9
AT_ONCE = 256
"""Crops of an evaluation."""


class StraightenerTask:
    """Training of a `Straightener` on the teacher's crops."""

    def __init__(
        self,
        network: Straightener,
        faces: TrainingFaces,
        held_out: Sequence[Pixels],
        schedule: Schedule,
        *,
        batch: int,
        seed: int,
    ) -> None:
        """held_out: stored crops of people not trained on."""
        self.samples_a_step = batch
        self._faces = faces
        self._schedule = schedule
        self._seed = seed
        self._points = torch.from_numpy(TEMPLATE)
        self._held_out = _draw(held_out, np.random.default_rng(DRAWN_SEED))
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        self._optimiser = adamw(network.parameters(), schedule.peak, DECAY)
        self.average = Average(network)

    def step(self, number: int) -> Mapping[str, float]:
        rng = np.random.default_rng((self._seed, number))
        crops, where = _draw(self._faces.sample(self.samples_a_step, rng).crops, rng)
        set_rate(self._optimiser, self._schedule.rate(number))
        self.network.train()
        # Single precision: half a pixel is the whole matter.
        images = to_input(torch.from_numpy(crops)).contiguous(memory_format=torch.channels_last)
        found = moved(self._points, self.network(images))
        loss = functional.smooth_l1_loss(found, torch.from_numpy(where), beta=BETA)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._optimiser.step()
        self.average.update(self.network, number)
        return {"loss": loss.item()}

    @torch.no_grad()
    def evaluate(self) -> Mapping[str, float]:
        """Mean and 95th percentile of how far landmarks lie from the template, in pixels."""
        crops, where = self._held_out
        moves = torch.cat(
            [
                self.average.network(to_input(torch.from_numpy(crops[start : start + AT_ONCE])))
                for start in range(0, len(crops), AT_ONCE)
            ]
        )
        return {
            "pixels_before": float(_off(self._points.expand(len(crops), -1, -1), where).mean()),
            "pixels_off": float(_off(moved(self._points, moves), where).mean()),
            "pixels_off_p95": float(np.quantile(_off(moved(self._points, moves), where), 0.95)),
        }

    def state(self) -> State:
        return {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "average": self.average.network.state_dict(),
        }

    def restore(self, state: State) -> None:
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])  # type: ignore[arg-type]
        self.average.network.load_state_dict(state["average"])  # type: ignore[arg-type]


def _draw(stored: Sequence[Pixels], rng: Generator) -> tuple[Pixels, FloatArray]:
    """Crops (n, 112, 112, 3) beside their place, and where they show the template (n, 5, 2)."""
    crops, places = [], []
    for one in stored:
        crop, to_crop = views.displaced(one, views.Displacement.of_landmarks(rng))
        crops.append(views.spoiled(views.light(crop, rng), rng))
        places.append(_placed(to_crop))
    return np.stack(crops), np.stack(places)


def _placed(to_crop: NDArray[np.float64]) -> FloatArray:
    return np.asarray(TEMPLATE @ to_crop[:, :2].T + to_crop[:, 2], np.float32)


def _off(found: Tensor, where: FloatArray) -> FloatArray:
    """(n,): mean distance of the five landmarks."""
    distances = np.linalg.norm(np.asarray(found.numpy()) - where, axis=2)
    return np.asarray(distances.mean(axis=1), np.float32)
