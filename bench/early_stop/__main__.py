"""What a search that stops early misses: counts and largest faces against every look.

    python -m bench.early_stop --full

On news photos, which are harder than selfies: many show people in the background. In the long form
on 1,000 of them, drawn by their names.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.kit.analyze import Policy, analyses
from bench.kit.figures import Figure
from bench.kit.picture_source import PictureSource, picture_source
from bench.kit.processes import start_inference
from bench.kit.result import Form, Result
from bench.kit.world import World, main
from facesearch.inference.v1 import inference_pb2 as pb

MAX_OTHER_COUNT = 0.04
MAX_OTHER_LARGEST = 0.005
SAME_FACE_IOU = 0.5
COUNTS = {Form.SHORT: 120, Form.FULL: 1000}
SEED = 7


def measure(form: Form, world: World) -> Result:
    photos = _photos(picture_source(world.photos), COUNTS[form])
    with start_inference(world) as service:
        early = analyses(service.address, photos, Policy.SEARCH)
        full = analyses(service.address, photos, Policy.FULL)
    pairs = list(zip(early, full, strict=True))
    other_count = float(np.mean([one.faces_counted != other.faces_counted for one, other in pairs]))
    other_largest = float(np.mean([not _same_largest(one, other) for one, other in pairs]))
    return Result(
        benchmark="early_stop",
        form=form,
        figures=[
            Figure(
                "E1", "another count of faces", other_count, "of photos", MAX_OTHER_COUNT, "lower"
            ),
            Figure(
                "E1", "another largest face", other_largest, "of photos", MAX_OTHER_LARGEST, "lower"
            ),
        ],
        details={
            "photos": len(photos),
            "with_more_than_one_face": sum(one.faces_counted > 1 for one in full),
            "without_a_face": sum(one.faces_counted == 0 for one in full),
        },
    )


def _photos(source: PictureSource, count: int) -> list[bytes]:
    order = np.random.default_rng(SEED).permutation(len(source))[:count]
    return [source.encoded(int(number)) for number in order]


def _same_largest(one: pb.ImageResult, other: pb.ImageResult) -> bool:
    mine, its = _largest(one.faces), _largest(other.faces)
    if mine is None or its is None:
        return mine is its
    return _iou(mine, its) >= SAME_FACE_IOU


def _largest(faces: Sequence[pb.Face]) -> pb.Box | None:
    """Of the faces that count; the server puts the largest first."""
    return next((face.box for face in faces if face.counts), None)


def _iou(one: pb.Box, other: pb.Box) -> float:
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    shared = max(width, 0.0) * max(height, 0.0)
    return shared / (one.width * one.height + other.width * other.height - shared)


if __name__ == "__main__":
    main("early_stop", "What a search that stops early misses.", measure)
