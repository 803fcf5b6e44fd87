"""A photo alone on a thread, and among others in the server's batches: the same faces."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from inference.bare import BareEngine, open_bare
from inference.calls import Call
from inference.engine import open_engine
from inference.metrics import Metrics
from inference.pipeline.faces import Analysis, AnalyzeOptions, EmbedMode
from inference.settings import Settings, load_settings

PHOTOS = (
    "attribute_7242.jpg",  # two faces
    "bulk_yifei.jpg",  # large: decoded at a reduced scale
    "bulk_image_T1.jpeg",  # turned by EXIF
    "emotion_happy.png",  # fills the frame
    "bulk_view.jpg",  # nobody
)
OPTIONS = (AnalyzeOptions(), AnalyzeOptions(is_early_stop=True, embed=EmbedMode.LARGEST))
MIN_COSINE = 0.9999
MAX_PIXELS = 0.1

pytestmark = pytest.mark.pack


@pytest.fixture(scope="module")
def photos(shared: Path) -> list[bytes]:
    return [(shared / "data" / "photos" / name).read_bytes() for name in PHOTOS]


@pytest.fixture(scope="module")
def settings(pack_dir: Path) -> Settings:
    # One session and batches of four, in float32: what queues up is batched.
    return load_settings(
        {}, pack=str(pack_dir), sessions=1, max_batch=4, runtime="onnxruntime", cache_dir="none"
    )


@pytest.fixture(scope="module")
def bare(settings: Settings) -> BareEngine:
    (engine,) = open_bare(settings)
    return engine


async def test_batched_equals_single(
    settings: Settings, bare: BareEngine, photos: list[bytes]
) -> None:
    metrics = Metrics()
    calls = [
        (name, photo, options)
        for options in OPTIONS
        for name, photo in zip(PHOTOS, photos, strict=True)
    ]
    async with open_engine(settings, metrics) as engine, asyncio.TaskGroup() as group:
        together = [
            group.create_task(engine.analyze(photo, options, Call(name)))
            for name, photo, options in calls
        ]
    for (name, photo, options), batched in zip(calls, together, strict=True):
        assert_same(name, bare.analyze(photo, options), batched.result())
    assert largest_batch(metrics) > 1


def assert_same(name: str, single: Analysis, batched: Analysis) -> None:
    assert (single.width, single.height) == (batched.width, batched.height), name
    assert single.faces_counted == batched.faces_counted, name
    assert len(single.faces) == len(batched.faces), name
    for one, other in zip(single.faces, batched.faces, strict=True):
        assert np.abs(np.subtract(one.box, other.box)).max() <= MAX_PIXELS, name
        assert np.abs(one.landmarks - other.landmarks).max() <= MAX_PIXELS, name
        assert (one.embedding is None) == (other.embedding is None), name
        if one.embedding is not None and other.embedding is not None:
            assert one.embedding @ other.embedding >= MIN_COSINE, name


def largest_batch(metrics: Metrics) -> float:
    """The largest mean over queues of the items in a run."""
    means = []
    for queue in ("detector", "recogniser"):
        runs, items = (
            metrics.registry.get_sample_value(
                f"facesearch_inference_batch_size_{what}", {"queue": queue}
            )
            for what in ("count", "sum")
        )
        means.append((items or 0) / (runs or 1))
    return max(means)


def test_stages_are_told_apart(bare: BareEngine, photos: list[bytes]) -> None:
    seconds = bare.analyze(photos[0], AnalyzeOptions()).seconds
    assert min(seconds.decode, seconds.detect, seconds.align, seconds.embed) > 0
    assert seconds.detect > seconds.align


def test_there_is_one_engine_for_each_session_of_the_server(pack_dir: Path) -> None:
    settings = load_settings(
        {}, pack=str(pack_dir), sessions=2, runtime="onnxruntime", cache_dir="none"
    )
    assert len(open_bare(settings)) == 2
