"""A batch padded up to its bucket: each row is what the network gives for it alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from inference.models.pack import load_pack
from inference.pipeline.decode import decode
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import CROP_SIZE, DecodeLimits
from inference.pipeline.letterbox import letterbox
from inference.runtimes import open_sessions
from inference.settings import GPU_BUCKETS, load_settings
from tests.unit.inference.test_bare import MAX_PIXELS, MIN_COSINE, PHOTOS

LIMITS = DecodeLimits(max_bytes=1 << 24, max_pixels=1 << 24)

pytestmark = pytest.mark.pack


@pytest.fixture(scope="module")
def photos(shared: Path) -> list[bytes]:
    return [(shared / "data" / "photos" / name).read_bytes() for name in PHOTOS]


@pytest.fixture(scope="module")
def networks(pack_dir: Path) -> tuple[Detector, Recogniser]:
    chosen = load_settings({}, pack=str(pack_dir), runtime="onnxruntime", cache_dir="none")
    pack = load_pack(pack_dir)
    sessions = open_sessions(pack, chosen)
    return (
        Detector.load(pack.detector_graph, sessions.detector, may_batch=True),
        Recogniser.load(pack.recogniser_graph, sessions.recogniser, may_batch=True),
    )


@pytest.mark.parametrize("bucket", GPU_BUCKETS)
def test_every_bucket_of_both_networks_gives_what_each_gives_alone(
    networks: tuple[Detector, Recogniser], photos: list[bytes], bucket: int
) -> None:
    detector, recogniser = networks
    images = [letterbox(decode(photo, LIMITS), 160) for photo in photos]
    looks = [detector.detect([image], 0.5)[0] for image in images]
    crops = [image.pixels[:CROP_SIZE, :CROP_SIZE].copy() for image in images]
    vectors = [recogniser.embed([crop])[0] for crop in crops]
    for size in {1, max(1, bucket - 1), bucket}:
        chosen = [number % len(images) for number in range(size)]
        together = detector.detect([images[n] for n in chosen], 0.5, bucket=bucket)
        for n, seen in zip(chosen, together, strict=True):
            assert len(seen.boxes) == len(looks[n].boxes)
            assert np.abs(seen.boxes - looks[n].boxes).max(initial=0) <= MAX_PIXELS
        embedded = recogniser.embed([crops[n] for n in chosen], bucket=bucket)
        for n, vector in zip(chosen, embedded, strict=True):
            assert vector @ vectors[n] >= MIN_COSINE
