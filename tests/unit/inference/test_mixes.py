"""Whatever comes together, in whatever order: every photo is answered as if it were alone.

On both ways through the server, with real weights: photos on one thread each, as on a CPU by
default, and queues for each stage with padded batches, as on a GPU.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.bare import BareEngine, open_bare
from inference.calls import Call
from inference.engine import Engine, open_engine
from inference.metrics import Metrics
from inference.pipeline.faces import Analysis, AnalyzeOptions, EmbedMode
from inference.settings import load_settings
from tests.unit.inference.test_bare import assert_same

pytestmark = [pytest.mark.pack, pytest.mark.slow]

SOURCES = (
    ("attribute_7242.jpg", 400),  # two faces
    ("attribute_7242.jpg", 90),
    ("bulk_yifei.jpg", 640),
    ("bulk_yifei.jpg", 161),
    ("RD_d3.jpeg", 300),
    ("emotion_happy.png", 224),  # fills the frame
    ("bulk_view.jpg", 333),  # nobody
)
"""Photos and the longest side that they are scaled to."""
OPTIONS = (
    AnalyzeOptions(),
    AnalyzeOptions(is_early_stop=True, embed=EmbedMode.LARGEST),
    AnalyzeOptions(embed=EmbedMode.NONE),
)
BUCKETS = (1, 2, 4, 8)
COMMON: dict[str, object] = {"cache_dir": "none", "look_sizes": (160, 320)}
WAYS: dict[str, dict[str, object]] = {
    "direct": {"sessions": 2},
    "staged": {
        "sessions": 1,
        "runtime": "onnxruntime",
        "max_batch": BUCKETS[-1],
        "buckets": BUCKETS,
        "max_queue_delay_seconds": 0.005,
    },
}

Asked = tuple[int, int, int]
"""Which photo, with which options, by which caller."""
mixes = st.lists(
    st.tuples(
        st.integers(0, len(SOURCES) - 1), st.integers(0, len(OPTIONS) - 1), st.integers(0, 3)
    ),
    min_size=1,
    max_size=10,
)


@dataclass(frozen=True)
class Way:
    """A warm engine, the same photos alone, and what it counted."""

    runner: asyncio.Runner
    engine: Engine
    metrics: Metrics
    alone: dict[tuple[int, int], Analysis]
    photos: tuple[bytes, ...]

    async def together(self, mix: list[Asked]) -> list[Analysis]:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    self.engine.analyze(self.photos[photo], OPTIONS[option], Call(str(caller)))
                )
                for photo, option, caller in mix
            ]
        return [task.result() for task in tasks]

    def runs(self, queue: str, what: str) -> float:
        value = self.metrics.registry.get_sample_value(
            f"facesearch_inference_batch_{what}", {"queue": queue}
        )
        return value or 0.0


@pytest.fixture(scope="module")
def photos(shared: Path) -> tuple[bytes, ...]:
    def scaled(name: str, side: int) -> bytes:
        with Image.open(shared / "data" / "photos" / name) as opened:
            picture = opened.convert("RGB")
        picture.thumbnail((side, side))
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=90)
        return stream.getvalue()

    return tuple(scaled(name, side) for name, side in SOURCES)


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest, pack_dir: Path, photos: tuple[bytes, ...]) -> Iterator[Way]:
    chosen = load_settings({}, pack=str(pack_dir), **(COMMON | WAYS[request.param]))
    bare: BareEngine = open_bare(chosen)[0]
    alone = {
        (photo, option): bare.analyze(photos[photo], OPTIONS[option])
        for photo in range(len(photos))
        for option in range(len(OPTIONS))
    }
    metrics = Metrics()
    with asyncio.Runner() as runner:
        opening = open_engine(chosen, metrics)
        engine = runner.run(opening.__aenter__())
        try:
            yield Way(runner, engine, metrics, alone, photos)
        finally:
            runner.run(opening.__aexit__(None, None, None))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(mix=mixes)
def test_every_photo_of_any_mix_is_answered_as_alone(way: Way, mix: list[Asked]) -> None:
    together = way.runner.run(way.together(mix))
    for (photo, option, _), among in zip(mix, together, strict=True):
        assert_same(SOURCES[photo][0], way.alone[photo, option], among)


def test_what_comes_at_once_shares_runs_and_is_answered_as_alone(way: Way) -> None:
    mix = [(number % len(way.photos), 0, number) for number in range(2 * BUCKETS[-1])]
    runs, items = way.runs("detector", "size_count"), way.runs("detector", "size_sum")
    together = way.runner.run(way.together(mix))
    for (photo, option, _), among in zip(mix, together, strict=True):
        assert_same(SOURCES[photo][0], way.alone[photo, option], among)
    runs, items = (
        way.runs("detector", "size_count") - runs,
        way.runs("detector", "size_sum") - items,
    )
    assert items == 0 or items / runs > 1, "a queue for each stage, and nothing was batched"
