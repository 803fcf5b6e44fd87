"""The same faces and embeddings as `insightface.app.FaceAnalysis`, in both of its detector modes.

Same pack, same pixels (decoded once, by us), same score limit; what is compared is everything
between the pixels and the embedding. docs/accuracy.md explains the differences that are kept.

Asked of onnxruntime, and of OpenVINO in the precision it takes by itself.
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
from inference.pipeline.faces import AnalyzeOptions, DecodeLimits, FloatArray, Photo
from inference.pipeline.letterbox import letterbox
from inference.pipeline.looks import Look, LookPolicy
from inference.pipeline.sight import Glance, Sight
from inference.pipeline.walk import Walk
from inference.runtimes import open_sessions
from inference.sessions.choose import Runtime, is_openvino_installed
from inference.settings import load_settings

insightface_app = pytest.importorskip("insightface.app", reason="parity needs insightface")

LIMITS = DecodeLimits(max_bytes=20 << 20, max_pixels=50_000_000)
MIN_SCORE = 0.5
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
    def __init__(self, pack: Pack, runtime: Runtime) -> None:
        sessions = open_sessions(pack, load_settings({}, runtime=runtime.value))
        self._detector = Detector.load(
            pack.detector_graph,
            sessions.detector,
            may_batch=sessions.may_batch,
            make_exact=sessions.exact_detector,
        )
        self._recogniser = Recogniser.load(
            pack.recogniser_graph, sessions.recogniser, may_batch=sessions.may_batch
        )

    def __call__(self, photo: Photo, policy: LookPolicy) -> Faces:
        images = [letterbox(photo, size) for size in policy.sizes]
        looks = [self._detector.detect([image], MIN_SCORE)[0] for image in images]
        if self._detector.exact is not None:
            faces = policy.merge(looks)
            everyone = np.ones(len(faces), np.bool_)
            sight = Sight(faces, everyone, is_clear=True, turn=0, may_lie=False)
            glances = list(map(Glance, policy.looks, images, looks))
            for number in Walk(policy, AnalyzeOptions()).doubted(glances, sight):
                looks[number] = self._detector.exact.detect([images[number]], MIN_SCORE)[0]
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
        self._app.prepare(ctx_id=-1, det_thresh=MIN_SCORE, det_size=det_size)
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
def ours(pack_dir: Path) -> dict[Runtime, Ours]:
    here = [Runtime.ONNXRUNTIME, *([Runtime.OPENVINO] if is_openvino_installed() else [])]
    return {runtime: Ours(load_pack(pack_dir), runtime) for runtime in here}


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
    ours: dict[Runtime, Ours],
    theirs: Theirs,
    photos: dict[str, Photo],
    det_size: tuple[int, int] | None,
    policy: LookPolicy,
) -> None:
    differences: list[str] = []
    compared = 0
    for name, photo in photos.items():
        expected = theirs(photo, det_size)
        for runtime, look in ours.items():
            found, where = look(photo, policy), f"{name} on {runtime}"
            if len(expected.boxes) != len(found.boxes):
                differences.append(f"{where}: {len(found.boxes)} faces, not {len(expected.boxes)}")
                continue
            compared += len(found.boxes)
            for row, face in enumerate(_pairs(found, expected, photo)):
                if (
                    face.iou < MIN_IOU
                    or face.landmark_pixels > MAX_LANDMARK_PIXELS
                    or face.cosine < MIN_COSINE
                ):
                    differences.append(f"{where}: face {row}: {face}")
    assert compared >= 40 * len(ours), "too few faces to say anything"
    assert not differences, "\n".join(differences)


@dataclass(frozen=True)
class Pair:
    """One face as two programs see it."""

    iou: float
    landmark_pixels: float
    """The largest distance, on the scale of a 640² look."""
    cosine: float


def _pairs(found: Faces, expected: Faces, photo: Photo) -> Iterator[Pair]:
    to_640 = 640 / max(photo.width, photo.height)
    for row, box in enumerate(expected.boxes):
        ious = [_iou(box, other) for other in found.boxes]
        best = int(np.argmax(ious))
        distances = np.linalg.norm(found.landmarks[best] - expected.landmarks[row], axis=1)
        yield Pair(
            iou=ious[best],
            landmark_pixels=float(distances.max() * to_640),
            cosine=float(found.embeddings[best] @ expected.embeddings[row]),
        )


def _iou(one: FloatArray, other: FloatArray) -> float:
    shared = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    overlap = float(np.prod(np.maximum(shared, 0)))
    return overlap / (float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - overlap)
