"""The training of the detector: what one step does, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.random import Generator
from torch import nn

from inference.pipeline.boxes import suppress
from inference.pipeline.detect import MAX_IOU
from inference.pipeline.faces import Detections, Pixels
from inference.pipeline.letterbox import DetectorInput
from training.detector.losses import LANDMARK_WEIGHT, Labels, losses
from training.detector.network import Detector, to_input
from training.detector.scenes import Scene, Scenes
from training.detector.targets import grid
from training.evaluate.detection import MIN_SCORE, score_detector
from training.loop.average import Average
from training.loop.checkpoint import State
from training.loop.optimiser import adamw, set_rate
from training.loop.schedule import Schedule

DECAY = 0.02
LOOK = 320
"""Pixels a side of the look that is evaluated."""
SHAPES = ((160, 48), (256, 20), (320, 12), (416, 7))
"""Sizes of input and images a step: each of about as much work."""
SHARES = (0.2, 0.2, 0.45, 0.15)


class DetectorTask:
    """Training of a `Detector` on scenes, with the teacher's faces as labels."""

    def __init__(
        self,
        network: Detector,
        scenes: Scenes,
        held_out: Sequence[tuple[Pixels, Detections]],
        backgrounds: Sequence[Pixels],
        schedule: Schedule,
        *,
        seed: int,
        negatives: float,
        landmark_weight: float = LANDMARK_WEIGHT,
        landmarks_alone: bool = False,
    ) -> None:
        """A task.

        negatives: weight of anchors that show no face in the loss. landmark_weight: in the sum of
        the losses. landmarks_alone: train nothing
        but what the landmarks come from, so that scores and boxes stay to the last bit.
        """
        self.samples_a_step = round(sum(n * p for (_, n), p in zip(SHAPES, SHARES, strict=True)))
        self._scenes = scenes
        self._held_out = held_out
        self._backgrounds = backgrounds
        self._schedule = schedule
        self._seed = seed
        self._negatives = negatives
        # Channels last and bfloat16: 15.9 ms an image of 320 pixels instead of 30.5 on one core.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        self._trained = (
            [part for head in network.heads for part in head.of_landmarks()]  # type: ignore[operator]
            if landmarks_alone
            else [network]
        )
        self._landmarks_alone = landmarks_alone
        self._landmark_weight = landmark_weight
        network.requires_grad_(not landmarks_alone)
        for part in self._trained:
            part.requires_grad_()
        self._optimiser = adamw(network.parameters(), schedule.peak, DECAY)
        self.average = Average(network)

    def step(self, number: int) -> Mapping[str, float]:
        rng = np.random.default_rng((self._seed, number))
        size, images = SHAPES[int(rng.choice(len(SHAPES), p=SHARES))]
        pixels, labels = self._batch(size, images, rng)
        set_rate(self._optimiser, self._schedule.rate(number))
        self.network.train(not self._landmarks_alone)
        for part in self._trained:
            part.train()
        with torch.autocast("cpu", torch.bfloat16):
            rows = self.network(pixels)
        found = losses(rows, grid(size), labels, negatives=self._negatives)
        self._optimiser.zero_grad(set_to_none=True)
        total = found.landmarks if self._landmarks_alone else found.total(self._landmark_weight)
        total.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
        nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self._optimiser.step()
        self.average.update(self.network, number)
        return {
            "score": found.score.item(),
            "box": found.box.item(),
            "landmarks": found.landmarks.item(),
        }

    def evaluate(self) -> Mapping[str, float]:
        return score_detector(self.detect, self._held_out, self._backgrounds, LOOK).figures()

    def detect(self, image: DetectorInput) -> Detections:
        """Faces as the averaged network sees them."""
        return detect(self.average.network, image, MIN_SCORE)

    def state(self) -> State:
        return {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "average": self.average.network.state_dict(),
        }

    def restore(self, state: State) -> None:
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])  # type: ignore[arg-type]
        self.average.network.load_state_dict(state["average"])  # type: ignore[arg-type]  # as state() made it

    def _batch(
        self, size: int, images: int, rng: Generator
    ) -> tuple[torch.Tensor, Sequence[Labels]]:
        made = [self._scenes.scene(size, rng) for _ in range(images)]
        pixels = to_input(torch.from_numpy(np.stack([one.pixels for one in made])))
        return pixels.contiguous(memory_format=torch.channels_last), [_labels(one) for one in made]


def _labels(scene: Scene) -> Labels:
    return Labels(*(torch.from_numpy(a) for a in (scene.boxes, scene.landmarks, scene.ignored)))


@torch.no_grad()
def detect(network: Detector, image: DetectorInput, min_score: float) -> Detections:
    """Faces of one image from a score on, best first, decoded as the server does it.

    network: in evaluation mode.
    """
    rows = network(to_input(torch.from_numpy(image.pixels[None])))
    where = grid(image.size)
    scores = rows.logits[0].sigmoid()
    kept = torch.nonzero(scores >= min_score).flatten()
    points, strides = where.points[kept], where.strides[kept, None]
    distances, offsets = rows.distances[0][kept] * strides, rows.offsets[0][kept] * strides
    boxes = torch.cat([points - distances[:, :2], points + distances[:, 2:]], 1).numpy()
    landmarks = (points[:, None] + offsets.view(-1, 5, 2)).numpy()
    boxes = image.to_photo(boxes.reshape(-1, 2, 2)).reshape(-1, 4)
    best = suppress(boxes, scores[kept].numpy(), MAX_IOU)
    return Detections(boxes[best], image.to_photo(landmarks)[best], scores[kept].numpy()[best])
