"""Faces counted on photos, and whether photos of one person find each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from cli.errors import UsageError
from cli.evaluation.expected import ExpectedPhoto
from cli.evaluation.faces import main_face
from cli.evaluation.lfw import ImageSet
from cli.evaluation.verification import FloatArray
from inference.calls import Call
from inference.engine import Engine
from inference.errors import ItemError, ModelFault
from inference.pipeline.faces import Analysis, AnalyzeOptions, EmbedMode

ENROLMENT = AnalyzeOptions()
FACES_ONLY = AnalyzeOptions(embed=EmbedMode.NONE)


@dataclass(frozen=True, slots=True)
class SeenPhoto:
    """One photo, as a pack sees it."""

    embeddings: FloatArray
    """(faces, dim) unit length; (0, 0) where there is none."""
    main: int | None
    """The face that is large and central."""
    seconds: float
    """From the bytes of the file to the embeddings."""

    @property
    def faces(self) -> int:
        return len(self.embeddings)


@dataclass(frozen=True, slots=True)
class DetectionFigures:
    """What one pack made of the photos."""

    expected: Sequence[ExpectedPhoto]
    faces: Mapping[str, int]
    """Found, by photo."""
    strays: Mapping[str, Sequence[str]]
    """By person with several photos: those that do not find the person's others first."""
    false_faces: Mapping[str, int] | None
    """By background; None: none were given."""
    p50_ms: float
    """Of one photo at a time."""

    def differing(self, *, is_turned: bool) -> Sequence[ExpectedPhoto]:
        """Photos with another number of faces than a person sees."""
        return [
            photo
            for photo in self.expected
            if photo.is_turned == is_turned and not photo.agrees(self.faces[photo.file])
        ]

    @property
    def persons_apart(self) -> Sequence[str]:
        """Persons some of whose photos do not find the others first."""
        return [person for person, files in self.strays.items() if files]


async def measure_detection(
    engine: Engine,
    expected: Sequence[ExpectedPhoto],
    photos: ImageSet,
    backgrounds: ImageSet | None,
    advance: Callable[[], None],
) -> DetectionFigures:
    """Every photo and background through the engine that serves, one after the other.

    Raises UsageError: a file that cannot be read as an image.
    """
    seen = {}
    for photo in expected:
        seen[photo.file] = await _see(engine, photo.file, photos.read(photo.file))
        advance()
    false_faces: dict[str, int] = {}
    if backgrounds is not None:
        for name in backgrounds.names:
            analysis = await _analyse(engine, name, backgrounds.read(name), FACES_ONLY)
            false_faces[name] = len(analysis.faces)
            advance()
    return DetectionFigures(
        expected=expected,
        faces={file: photo.faces for file, photo in seen.items()},
        strays=strays(expected, seen),
        false_faces=None if backgrounds is None else false_faces,
        p50_ms=1e3 * median(photo.seconds for photo in seen.values()),
    )


def strays(
    expected: Sequence[ExpectedPhoto], seen: Mapping[str, SeenPhoto]
) -> Mapping[str, Sequence[str]]:
    """By person with several photos, those whose most similar photos are not the person's others.

    A search without a threshold: the main face of a photo against all faces of all other photos,
    the best face of each counting. A photo without a face finds nobody and is found by nobody.
    """
    files: dict[str, list[str]] = {}
    for photo in expected:
        if photo.person is not None:
            files.setdefault(photo.person, []).append(photo.file)
    return {
        person: [file for file in own if _nearest(file, len(own) - 1, seen) != {*own} - {file}]
        for person, own in files.items()
        if len(own) > 1
    }


def _nearest(file: str, count: int, seen: Mapping[str, SeenPhoto]) -> set[str]:
    probe = seen[file]
    if probe.main is None:
        return set()
    scores = {
        other: float((photo.embeddings @ probe.embeddings[probe.main]).max())
        for other, photo in seen.items()
        if other != file and photo.faces
    }
    return set(sorted(scores, key=lambda other: -scores[other])[:count])


async def _see(engine: Engine, name: str, data: bytes) -> SeenPhoto:
    started = time.perf_counter()
    analysis = await _analyse(engine, name, data, ENROLMENT)
    seconds = time.perf_counter() - started
    faces = analysis.faces
    main = main_face(faces, analysis.width, analysis.height)
    vectors = [face.embedding for face in faces if face.embedding is not None]
    return SeenPhoto(
        np.stack(vectors) if vectors else np.empty((0, 0), np.float32),
        next((place for place, face in enumerate(faces) if face is main), None),
        seconds,
    )


async def _analyse(engine: Engine, name: str, data: bytes, options: AnalyzeOptions) -> Analysis:
    try:
        return await engine.analyze(data, options, Call.begin(name, timeout_seconds=None))
    except ModelFault:
        raise
    except ItemError as error:
        raise UsageError(f"{name} cannot be measured: {error}") from error
