"""Detections against the teacher's on images held out, and false faces where there are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from inference.pipeline.faces import Detections, FloatArray, Photo, Pixels
from inference.pipeline.letterbox import DetectorInput, letterbox
from training.data.heldout import HELD_OUT_BACKGROUNDS, backgrounds_in_order
from training.data.label import main_face
from training.data.store import PreparedSet

MIN_SCORE = 0.5
"""The server's own limit."""
MIN_IOU = 0.4

Detect = Callable[[DetectorInput], Detections]
"""Faces of one letterboxed image from MIN_SCORE on, in the pixels of its photo."""


@dataclass(frozen=True, slots=True)
class Detection:
    """The figures of one detector at one look."""

    images: int
    found: float
    """Share of images whose main face, as the teacher sees it, was found."""
    extra: float
    """Further detections an image, beside the faces of the teacher (from 0.3 on)."""
    landmark_error: float
    """Mean distance of landmarks from the teacher's, as a share of the face's longer side."""
    backgrounds: int
    false_faces: int
    """On photos without a face."""

    def figures(self) -> dict[str, float]:
        """Those that a training reports."""
        return {
            "recall": self.found,
            "extra": self.extra,
            "landmark_error": self.landmark_error,
            "false_faces": float(self.false_faces),
        }

    def as_json(self) -> dict[str, object]:
        """All of them."""
        return asdict(self)


def split_backgrounds(prepared: PreparedSet) -> tuple[list[Pixels], list[Pixels]]:
    """Photos to train on, and HELD_OUT_BACKGROUNDS that are not, chosen by their names' digests."""
    order = backgrounds_in_order(prepared.about["names"])
    images = [prepared.image(number) for number in order]
    return images[HELD_OUT_BACKGROUNDS:], images[:HELD_OUT_BACKGROUNDS]


def held_out_images(sets: Sequence[PreparedSet]) -> list[tuple[Pixels, Detections]]:
    """Images of people held out that show a face, with the teacher's faces; of sets with names."""
    return [
        (one.image(image), one.faces_of(image))
        for one in sets
        if any(one.about["people"])
        for image in one.crop_image[one.held_out[one.crop_image]].tolist()
    ]


def score_detector(
    detect: Detect,
    images: Sequence[tuple[Pixels, Detections]],
    backgrounds: Sequence[Pixels],
    size: int,
) -> Detection:
    """How a detector does with one look of `size` pixels at each image."""
    found, extra = 0, 0
    errors: list[float] = []
    for pixels, true in images:
        seen = detect(_look(pixels, size))
        extra += int((overlaps(seen.boxes, true.boxes).max(axis=1, initial=0) < MIN_IOU).sum())
        main = main_face(true, pixels.shape[1], pixels.shape[0])
        if main is None or not len(seen):
            continue
        shared = overlaps(seen.boxes, true.boxes[main : main + 1])[:, 0]
        best = int(shared.argmax())
        if shared[best] >= MIN_IOU:
            found += 1
            side = float((true.boxes[main, 2:] - true.boxes[main, :2]).max())
            away = np.linalg.norm(seen.landmarks[best] - true.landmarks[main], axis=1)
            errors.append(float(away.mean()) / side)
    return Detection(
        images=len(images),
        found=found / max(1, len(images)),
        extra=extra / max(1, len(images)),
        landmark_error=float(np.mean(errors)) if errors else 1.0,
        backgrounds=len(backgrounds),
        false_faces=sum(len(detect(_look(pixels, size))) for pixels in backgrounds),
    )


def overlaps(ones: FloatArray, others: FloatArray) -> FloatArray:
    """IoU (n, m) of boxes (n, 4) and (m, 4)."""
    top_left = np.maximum(ones[:, None, :2], others[None, :, :2])
    bottom_right = np.minimum(ones[:, None, 2:], others[None, :, 2:])
    shared = np.maximum(bottom_right - top_left, 0).prod(axis=2)
    areas = [np.maximum(b[:, 2:] - b[:, :2], 0).prod(axis=1) for b in (ones, others)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.maximum(union, 1e-6), np.float32)


def _look(pixels: Pixels, size: int) -> DetectorInput:
    return letterbox(Photo(pixels, width=pixels.shape[1], height=pixels.shape[0]), size)
