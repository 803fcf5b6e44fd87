"""Label one source with the teacher and write it as a prepared set."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from inference.errors import InvalidLandmarks
from inference.pipeline.align import TEMPLATE, similarity
from inference.pipeline.faces import CROP_SIZE, Detections, FloatArray, Pixels
from training.data.people import RefusedPeople
from training.data.sources import Source, SourceImage
from training.data.store import MARGIN, STORED_CROP, About
from training.teacher import Teacher

MIN_LABEL_SCORE = 0.3
"""Fainter faces are no labels; training leaves those below 0.5 out of account either way."""
MIN_CROP_SCORE = 0.5
_CROP_BUFFER = 256


@dataclass(slots=True)
class _Rows:
    """What grows while a source is read."""

    about: About
    offsets: list[int] = field(default_factory=lambda: [0])
    sizes: list[tuple[int, int]] = field(default_factory=list)
    face_image: list[int] = field(default_factory=list)
    boxes: list[FloatArray] = field(default_factory=list)
    landmarks: list[FloatArray] = field(default_factory=list)
    scores: list[FloatArray] = field(default_factory=list)
    crops: list[Pixels] = field(default_factory=list)
    crop_image: list[int] = field(default_factory=list)


def prepare_source(
    source: Source,
    prepared: Path,
    refused: RefusedPeople,
    teacher: Teacher,
    advance: Callable[[], None] = lambda: None,
) -> Path:
    """The folder of a prepared source; made only if it is not there. Raises TrainingError.

    It is written beside its place and moved there when whole, so that what lies there can be used.
    """
    folder = prepared / source.name
    if folder.exists():
        return folder
    draft = prepared / f".{source.name}.{os.getpid()}"
    draft.mkdir(parents=True)
    try:
        _write(source, draft, refused, teacher, advance)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _write(
    source: Source,
    draft: Path,
    refused: RefusedPeople,
    teacher: Teacher,
    advance: Callable[[], None],
) -> None:
    rows = _Rows(
        About(
            source=source.name,
            origin=source.origin,
            licence=source.licence,
            names=[],
            people=[],
            held_out=[],
            looks=list(source.looks),
        )
    )
    with (draft / "pixels.bin").open("wb") as stream:
        for image in source.images(refused):
            advance()
            pixels = decode(image)
            if pixels is None:
                continue
            faces = teacher.faces(pixels, source.looks, MIN_LABEL_SCORE) if source.looks else None
            if source.is_for_backgrounds and faces:
                continue
            stream.write(pixels.tobytes())
            _add(rows, image, pixels, faces)
    crops = open_memmap(
        draft / "crops.npy",
        mode="w+",
        dtype=np.uint8,
        shape=(len(rows.crops), STORED_CROP, STORED_CROP, 3),
    )
    embeddings = np.empty((len(rows.crops), teacher.dim), np.float32)
    for start in range(0, len(rows.crops), _CROP_BUFFER):
        part = np.stack(rows.crops[start : start + _CROP_BUFFER])
        crops[start : start + len(part)] = part
        embeddings[start : start + len(part)] = teacher.embed(middle(part))
    crops.flush()
    np.savez(
        draft / "index.npz",
        offsets=np.array(rows.offsets, np.int64),
        sizes=np.array(rows.sizes, np.int64).reshape(-1, 2),
        face_image=np.array(rows.face_image, np.int64),
        boxes=_joined(rows.boxes, (4,)),
        landmarks=_joined(rows.landmarks, (5, 2)),
        scores=_joined(rows.scores, ()),
        crop_image=np.array(rows.crop_image, np.int64),
        crop_embeddings=embeddings,
    )
    (draft / "names.json").write_text(json.dumps(rows.about), encoding="utf-8")


def _add(rows: _Rows, image: SourceImage, pixels: Pixels, faces: Detections | None) -> None:
    number = len(rows.sizes)
    height, width = pixels.shape[:2]
    rows.about["names"].append(image.name)
    rows.about["people"].append(image.person)
    rows.about["held_out"].append(image.is_held_out)
    rows.offsets.append(rows.offsets[-1] + pixels.size)
    rows.sizes.append((height, width))
    if not faces:
        return
    rows.face_image += [number] * len(faces)
    rows.boxes.append(faces.boxes)
    rows.landmarks.append(faces.landmarks)
    rows.scores.append(faces.scores)
    main = main_face(faces, width, height)
    if main is None:
        return
    try:
        rows.crops.append(wide_crop(pixels, faces.landmarks[main]))
    except InvalidLandmarks:
        return  # the teacher put its points on one spot: there is nothing to align by
    rows.crop_image.append(number)


def decode(image: SourceImage) -> Pixels | None:
    """RGB pixels; None if the file is none that can be read."""
    encoded = np.frombuffer(image.data, np.uint8)
    found = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if encoded.size else None
    return None if found is None else np.asarray(found[:, :, ::-1], dtype=np.uint8, order="C")


def main_face(faces: Detections, width: int, height: int) -> int | None:
    """The sure face that is large and central: area − 2 · squared distance from the middle."""
    sure = np.flatnonzero(faces.scores >= MIN_CROP_SCORE)
    if not sure.size:
        return None
    boxes = faces.boxes[sure]
    extents = boxes[:, 2:] - boxes[:, :2]
    off = (boxes[:, :2] + boxes[:, 2:] - [width, height]) / 2
    return int(sure[np.argmax(extents[:, 0] * extents[:, 1] - 2 * (off**2).sum(axis=1))])


def wide_crop(pixels: Pixels, landmarks: FloatArray) -> Pixels:
    """The aligned face with its margin: its middle is what `inference.pipeline.align` gives.

    Raises InvalidLandmarks.
    """
    to_crop = similarity(landmarks, TEMPLATE)
    to_crop[:, 2] += MARGIN
    warped = cv2.warpAffine(pixels, to_crop, (STORED_CROP, STORED_CROP), borderValue=0.0)
    return np.asarray(warped, dtype=np.uint8)


def middle(crops: Pixels) -> Pixels:
    """The 112×112 of stored crops (n, STORED_CROP, STORED_CROP, 3)."""
    return crops[:, MARGIN : MARGIN + CROP_SIZE, MARGIN : MARGIN + CROP_SIZE]


def _joined(parts: list[FloatArray], tail: tuple[int, ...]) -> NDArray[np.float32]:
    return np.concatenate(parts).astype(np.float32) if parts else np.empty((0, *tail), np.float32)
