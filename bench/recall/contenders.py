"""Who looks for faces: the service, and insightface's FaceAnalysis as it comes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from insightface.app import FaceAnalysis

from bench.kit.analyze import Policy, analyses
from bench.kit.processes import start_inference
from bench.kit.world import World
from bench.recall.matching import Found, recalled
from bench.recall.samples import Sample
from facesearch.inference.v1 import inference_pb2 as pb

Outcome = tuple[int, int]
"""Faces that are there and were found; all that were found."""


def of_service(world: World, samples: Sequence[Sample], **settings: str | int) -> list[Outcome]:
    """What enrolment sees."""
    with start_inference(world, **settings) as service:
        results = analyses(service.address, [one.data for one in samples], Policy.FULL)
    return [
        (
            recalled(
                sample, result.width, result.height, [_of_message(one) for one in result.faces]
            ),
            len(result.faces),
        )
        for sample, result in zip(samples, results, strict=True)
    ]


def of_face_analysis(pack: Path, samples: Sequence[Sample]) -> list[Outcome]:
    """FaceAnalysis with its defaults: looks at 128² and 640², score 0.5. Its detector only."""
    app = FaceAnalysis(
        name=str(pack), allowed_modules=["detection"], providers=["CPUExecutionProvider"]
    )
    app.prepare(ctx_id=-1)
    return [_seen(app, sample) for sample in samples]


def _seen(app: FaceAnalysis, sample: Sample) -> Outcome:
    pixels = cv2.imdecode(np.frombuffer(sample.data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        return 0, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of scikit-image's, for insightface
        found = [
            Found((float(x1), float(y1), float(x2), float(y2)), np.asarray(face.kps, np.float32))
            for face in app.get(pixels)
            for x1, y1, x2, y2 in [face.bbox]
        ]
    return recalled(sample, pixels.shape[1], pixels.shape[0], found), len(found)


def _of_message(face: pb.Face) -> Found:
    box = face.box
    return Found(
        (box.x, box.y, box.x + box.width, box.y + box.height),
        np.array([(point.x, point.y) for point in face.landmarks], np.float32),
    )
