"""On a GPU every shape that can come has come before the first request."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import numpy as np

from inference.batching import Batcher
from inference.calls import Call
from inference.models.graphs import DetectorGraph, read_graph
from inference.networks import DetectorRunner
from inference.pipeline.analyze import DetectorWork
from inference.pipeline.detect import Detector
from inference.pipeline.faces import Detections, Photo
from inference.pipeline.letterbox import letterbox
from inference.sessions.fake import fake_detector
from inference.settings import GPU_BUCKETS, Settings
from tests.unit.inference import networks

LOOKS = (128, 256)


def look(size: int) -> DetectorWork:
    pixels = np.zeros((size, size, 3), dtype=np.uint8)
    return DetectorWork(letterbox(Photo(pixels, size, size), size), min_score=0.5)


async def test_every_bucket_of_every_look_is_warmed_and_no_other_shape_comes_later(
    tmp_path: Path,
) -> None:
    graph = read_graph(networks.detector(tmp_path / "det.onnx"))
    assert isinstance(graph, DetectorGraph)
    session = fake_detector()
    policy = Settings(device="cuda:0").detector_policy
    async with Batcher[DetectorWork, Detections](
        "detector", lambda: DetectorRunner(Detector(graph, session, batched=True)), policy=policy
    ) as batcher:
        await batcher.warm_up([look(size) for size in LOOKS])
        warmed = set(session.runs)
        chance = random.Random(3)

        async def caller(name: str) -> None:
            for _ in range(5):
                size = chance.choice(LOOKS)
                await asyncio.gather(
                    *(
                        batcher.submit(look(size), call=Call(name), shape=size)
                        for _ in range(chance.randint(1, 40))
                    )
                )

        await asyncio.gather(*(caller(str(number)) for number in range(6)))

    assert warmed == {(bucket, 3, size, size) for bucket in GPU_BUCKETS for size in LOOKS}
    assert set(session.runs) == warmed
