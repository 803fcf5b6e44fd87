"""A pack as the server runs it, on what was held out: faces found, told apart, and counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from inference.bare import ENROLMENT, BareEngine
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import Detections, Pixels
from inference.pipeline.letterbox import DetectorInput
from training.evaluate.cases import case_of
from training.evaluate.detection import MIN_SCORE, Detection, score_detector
from training.evaluate.verification import HeldOutFaces, Verification, verify

EMBED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class CountedPhotos:
    """Photos on which a person counted the faces."""

    photos: int
    """Those turned without EXIF left out."""
    differing: dict[str, str]
    """What was found and what a person sees, by file."""
    cases: dict[str, CountedCase]
    """By what is special about them (`training.evaluate.cases`)."""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CountedCase:
    """Photos that are special in one way."""

    photos: int
    differing: int


def evaluate_detector(
    detector: Detector,
    images: Sequence[tuple[Pixels, Detections]],
    backgrounds: Sequence[Pixels],
    size: int,
) -> Detection:
    """One look at each image, decoded by the server's own code."""

    def detect(one: DetectorInput) -> Detections:
        return detector.detect([one], MIN_SCORE)[0]

    return score_detector(detect, images, backgrounds, size)


def evaluate_recogniser(recogniser: Recogniser, faces: HeldOutFaces) -> Verification:
    """On crops that the teacher aligned, so that recognisers are compared and nothing else."""
    parts = [
        recogniser.embed(list(faces.crops[start : start + EMBED_AT_ONCE]), bucket=EMBED_AT_ONCE)
        for start in range(0, len(faces.crops), EMBED_AT_ONCE)
    ]
    return verify(np.concatenate(parts), faces.people)


def count_photos(engine: BareEngine, shared: Path, advance: Callable[[], None]) -> CountedPhotos:
    """Every look at each photo of ``data/photos``, against what ``photos.json`` says."""
    told = json.loads((shared / "data" / "photos.json").read_text(encoding="utf-8"))["photos"]
    upright = [photo for photo in told if "turned_degrees" not in photo]
    differing = {}
    for photo in upright:
        data = (shared / "data" / "photos" / photo["file"]).read_bytes()
        found = len(engine.analyze(data, ENROLMENT).faces)
        low, high = photo["faces_min"], photo["faces_max"]
        if not low <= found <= high:
            differing[photo["file"]] = f"{found} found, {low} to {high} seen"
        advance()
    return CountedPhotos(len(upright), differing, _by_case(upright, differing))


def _by_case(
    photos: Sequence[Mapping[str, object]], differing: Mapping[str, str]
) -> dict[str, CountedCase]:
    of_case: dict[str, list[str]] = {}
    for photo in photos:
        of_case.setdefault(case_of(photo), []).append(str(photo["file"]))
    return {
        case: CountedCase(len(files), len(differing.keys() & set(files)))
        for case, files in sorted(of_case.items())
    }
