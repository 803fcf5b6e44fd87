"""One embedding an image, through the engine that serves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from cli.evaluation.lfw import ImageSet
from cli.evaluation.verification import FloatArray
from inference.calls import Call
from inference.engine import Engine
from inference.errors import ItemError
from inference.pipeline.faces import AnalyzedFace, AnalyzeOptions, EmbedMode

_IN_FLIGHT = 16


@dataclass(slots=True)
class Embedded:
    """What became of the images."""

    by_name: dict[str, FloatArray] = field(default_factory=dict)
    """(dim,) unit length, of every image with a face."""
    without_face: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    """With the reason."""
    several_faces: int = 0
    """Images on which one of several faces was chosen."""

    @property
    def images(self) -> int:
        return len(self.by_name) + len(self.without_face) + len(self.unreadable)

    @property
    def share_with_face(self) -> float:
        """Of all images, the unreadable ones too."""
        return len(self.by_name) / self.images if self.images else 0.0


async def embed_images(
    engine: Engine, images: ImageSet, names: Sequence[str], advance: Callable[[], None]
) -> Embedded:
    """The embedding of the main face of each image named. Every look is taken."""
    result = Embedded()
    queue = iter(names)

    async def work(queue: Iterator[str]) -> None:
        for name in queue:
            await _embed(engine, images, name, result)
            advance()

    async with asyncio.TaskGroup() as workers:
        for _ in range(_IN_FLIGHT):
            workers.create_task(work(queue))
    return result


async def _embed(engine: Engine, images: ImageSet, name: str, result: Embedded) -> None:
    options = AnalyzeOptions(embed=EmbedMode.ALL)
    try:
        analysis = await engine.analyze(
            images.read(name), options, Call.begin(name, timeout_seconds=None)
        )
    except ItemError as error:
        result.unreadable[name] = str(error)
        return
    face = main_face(analysis.faces, analysis.width, analysis.height)
    if face is None or face.embedding is None:
        result.without_face.append(name)
        return
    result.several_faces += len(analysis.faces) > 1
    result.by_name[name] = np.asarray(face.embedding, np.float32)


def main_face(faces: Sequence[AnalyzedFace], width: int, height: int) -> AnalyzedFace | None:
    """The face that is large and central: area − 2 · squared distance from the middle.

    The rule of facenet's align_dataset_mtcnn.py, which LFW results are commonly made with.
    """

    def weight(face: AnalyzedFace) -> float:
        left, top, right, bottom = face.box
        off = ((left + right - width) / 2, (top + bottom - height) / 2)
        return (right - left) * (bottom - top) - 2 * (off[0] ** 2 + off[1] ** 2)

    return max(faces, key=weight, default=None)
