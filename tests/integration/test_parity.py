"""The same faces and embeddings as `insightface.app.FaceAnalysis`, in both of its detector modes.

Same pack, same pixels (decoded once, by us), same score limit; what is compared is everything
between the pixels and the embedding. docs/accuracy.md explains the differences that are kept.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from inference.models.pack import Pack, load_pack
from inference.pipeline.align import align
from inference.pipeline.decode import decode
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import DecodeLimits, Detections, FloatArray, Photo
from inference.pipeline.letterbox import letterbox
from inference.pipeline.looks import Look, LookPolicy
from inference.sessions.onnx import OnnxOptions, OnnxSessions

insightface_app = pytest.importorskip("insightface.app", reason="parity needs insightface")

LIMITS = DecodeLimits(max_bytes=20 << 20, max_pixels=50_000_000)
MIN_IOU = 0.95
MAX_LANDMARK_PIXELS = 2.0
"""On the scale of a 640² look."""
MIN_COSINE = 0.995


@dataclass(frozen=True)
class Faces:
    """Of one photo: boxes (n, 4), landmarks (n, 5, 2), embeddings (n, dim) of unit length."""

    boxes: FloatArray
    landmarks: FloatArray
    embeddings: FloatArray


class Ours:
    def __init__(self, pack: Pack) -> None:
        detector, recogniser = pack.detector_graph, pack.recogniser_graph
        options = OnnxOptions()
        self._detector = Detector.load(detector, OnnxSessions(detector.model, options))
        self._recogniser = Recogniser.load(recogniser, OnnxSessions(recogniser.model, options))

    def __call__(self, photo: Photo, policy: LookPolicy) -> Faces:
        looks: list[Detections] = []
        for size in policy.sizes:
            looks += self._detector.detect([letterbox(photo, size)], 0.5)
        found = policy.merge(looks)
        crops = [align(photo, landmarks) for landmarks in found.landmarks]
        return Faces(found.boxes, found.landmarks, self._recogniser.embed(crops))


class Theirs:
    def __init__(self, folder: Path) -> None:
        self._app = insightface_app.FaceAnalysis(
            name=str(folder),
            allowed_modules=["detection", "recognition"],
            providers=["CPUExecutionProvider"],
        )

    def __call__(self, photo: Photo, det_size: tuple[int, int] | None) -> Faces:
        self._app.prepare(ctx_id=-1, det_thresh=0.5, det_size=det_size)
        with warnings.catch_warnings():
            # scikit-image deprecates how insightface asks for a transform.
            warnings.simplefilter("ignore", FutureWarning)
            faces = self._app.get(np.ascontiguousarray(photo.pixels[:, :, ::-1]))
        return Faces(
            np.array([face.bbox for face in faces], dtype=np.float32).reshape(-1, 4),
            np.array([face.kps for face in faces], dtype=np.float32).reshape(-1, 5, 2),
            np.array([face.normed_embedding for face in faces], dtype=np.float32),
        )


@pytest.fixture(scope="module")
def ours(pack_dir: Path) -> Ours:
    return Ours(load_pack(pack_dir))


@pytest.fixture(scope="module")
def theirs(pack_dir: Path) -> Theirs:
    return Theirs(load_pack(pack_dir).folder)


@pytest.fixture(scope="module")
def photos(shared: Path) -> dict[str, Photo]:
    index = json.loads((shared / "data" / "photos.json").read_text())
    folder = shared / "data" / "photos"
    return {
        entry["file"]: decode((folder / entry["file"]).read_bytes(), LIMITS)
        for entry in index["photos"]
    }


@pytest.mark.slow
@pytest.mark.pack
@pytest.mark.parametrize(
    ("det_size", "policy"),
    [
        pytest.param((640, 640), LookPolicy((Look(640),)), id="single-640"),
        pytest.param(None, LookPolicy((Look(128), Look(640))), id="default-128-and-640"),
    ],
)
def test_every_photo_gives_the_faces_and_embeddings_of_insightface(
    ours: Ours,
    theirs: Theirs,
    photos: dict[str, Photo],
    det_size: tuple[int, int] | None,
    policy: LookPolicy,
) -> None:
    differences: list[str] = []
    compared = 0
    for name, photo in photos.items():
        expected, found = theirs(photo, det_size), ours(photo, policy)
        if len(expected.boxes) != len(found.boxes):
            differences.append(f"{name}: {len(found.boxes)} faces, not {len(expected.boxes)}")
            continue
        compared += len(found.boxes)
        differences += [f"{name}: {text}" for text in _differences(found, expected, photo)]
    assert compared >= 40, "too few faces to say anything"
    assert not differences, "\n".join(differences)


def _differences(found: Faces, expected: Faces, photo: Photo) -> Iterator[str]:
    to_640 = 640 / max(photo.width, photo.height)
    for row, box in enumerate(expected.boxes):
        ious = [_iou(box, other) for other in found.boxes]
        best = int(np.argmax(ious))
        if ious[best] < MIN_IOU:
            yield f"face {row}: IoU {ious[best]:.4f}"
        distances = np.linalg.norm(found.landmarks[best] - expected.landmarks[row], axis=1)
        if distances.max() * to_640 > MAX_LANDMARK_PIXELS:
            yield f"face {row}: landmarks {distances.max() * to_640:.2f} px apart"
        cosine = float(found.embeddings[best] @ expected.embeddings[row])
        if cosine < MIN_COSINE:
            yield f"face {row}: cosine {cosine:.5f}"


def _iou(one: FloatArray, other: FloatArray) -> float:
    shared = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    overlap = float(np.prod(np.maximum(shared, 0)))
    return overlap / (float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - overlap)
