"""Pixels as fine as they are needed, and which way they were decoded cannot be seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from inference.bare import BareEngine
from inference.errors import InvalidImage, InvalidLandmarks, InvalidRegion
from inference.pipeline.align import TEMPLATE, align
from inference.pipeline.decode import decode, read_header
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import (
    AnalyzedFace,
    AnalyzeOptions,
    DecodeLimits,
    Detections,
    EmbedMode,
    FloatArray,
    Photo,
    Region,
)
from inference.pipeline.letterbox import letterbox
from inference.pipeline.looks import Look, LookPolicy
from inference.pipeline.picture import Detail, Picture, halved
from inference.pipeline.sight import Sight
from inference.pipeline.walk import Walk
from tests.unit.inference.pipeline import files

LIMITS = DecodeLimits(max_bytes=20 << 20, max_pixels=50_000_000)
SEARCH = Detail(look=640, face_fraction=1 / 6)


def painted(width: int, height: int, grain: int = 0) -> Image.Image:
    """Soft shapes, with grain as of a camera."""
    generator = np.random.default_rng(1)
    shapes = generator.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    pixels = cv2.resize(shapes, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    pixels += generator.integers(-grain, grain + 1, pixels.shape, dtype=np.int16)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


LARGE = files.encoded(painted(3001, 2003), "JPEG", quality=90)
SMALL = files.encoded(painted(640, 480, grain=20), "JPEG", quality=90)


def opened(data: bytes, *, may_reduce: bool = True) -> Picture:
    return Picture(data, read_header(data, LIMITS), may_reduce=may_reduce)


def face(side: float, x: float = 500, y: float = 400) -> FloatArray:
    """Landmarks of a face whose crop covers so many pixels of the photo a side."""
    return np.asarray(TEMPLATE * (side / 112) + [x, y], dtype=np.float32)


class Decodes:
    """Counts the decodes of a picture by the time it spends on them."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._last = picture.decode_seconds

    def happened(self) -> bool:
        before, self._last = self._last, self._picture.decode_seconds
        return self._last > before


def test_a_large_face_is_taken_from_the_pixels_that_the_look_had() -> None:
    picture = opened(LARGE)
    decodes = Decodes(picture)

    picture.inputs([160], SEARCH)
    assert decodes.happened()
    picture.inputs([640], SEARCH)
    picture.crops([face(500), face(900)])

    assert not decodes.happened()


def test_small_faces_cost_one_finer_decode_together() -> None:
    picture = opened(LARGE)
    picture.inputs([160], SEARCH)
    decodes = Decodes(picture)

    picture.crops([face(900), face(100), face(60)])
    assert decodes.happened()
    picture.inputs([640], SEARCH)
    picture.crops([face(40)])

    assert not decodes.happened()


def test_a_crop_that_may_be_coarser_is_taken_from_what_is_held() -> None:
    picture = opened(LARGE)
    picture.inputs([160], Detail(look=160, face_fraction=0.3, crop=1.25))
    decodes = Decodes(picture)

    coarse = picture.crops([face(600), face(40)], [1.25, 0])[0]
    assert not decodes.happened()  # at a quarter it has 150 pixels
    fine = picture.crops([face(600)])[0]
    assert decodes.happened()

    assert np.array_equal(fine, opened(LARGE).crops([face(600)])[0])
    assert 0 < np.abs(coarse.astype(int) - fine).mean() < 1.5


def test_a_face_too_small_for_what_is_held_is_decoded_again() -> None:
    picture = opened(LARGE)
    picture.inputs([160], Detail(look=160, face_fraction=0.3, crop=1.25))
    decodes = Decodes(picture)

    picture.crops([face(500)], [1.25])

    assert decodes.happened()


@pytest.mark.parametrize(
    ("options", "decoded"),
    [
        (AnalyzeOptions(is_early_stop=True), [True, True, False]),
        (AnalyzeOptions(), [True, False, False]),
    ],
    ids=["search", "full"],
)
def test_a_photo_is_decoded_twice_at_most_for_its_looks(
    options: AnalyzeOptions, decoded: list[bool]
) -> None:
    policy = LookPolicy()
    walk = Walk(policy, options)
    picture = opened(LARGE)
    decodes = Decodes(picture)
    happened = []

    for look in policy.looks:
        walk.inputs(picture, [look])
        happened.append(decodes.happened())

    assert happened == decoded


@pytest.mark.parametrize(
    ("embed", "decoded"),
    [(EmbedMode.SINGLE, False), (EmbedMode.LARGEST, False), (EmbedMode.ALL, True)],
)
def test_only_a_face_that_is_embedded_makes_a_search_decode_again(
    embed: EmbedMode, decoded: bool
) -> None:
    """A selfie with somebody far behind, who does not count."""
    landmarks = np.stack([face(900), face(60, 2000, 300)])
    boxes = np.array([[500, 400, 1400, 1300], [2000, 300, 2060, 360]], np.float32)
    sight = Sight(
        Detections(boxes, landmarks, np.array([0.9, 0.8], np.float32)),
        counts=np.array([True, False]),
        is_clear=True,
        turn=0,
        may_lie=False,
    )
    walk = Walk(LookPolicy(), AnalyzeOptions(is_early_stop=True, embed=embed))
    picture = opened(LARGE)
    walk.inputs(picture, [Look(160)])
    decodes = Decodes(picture)

    assert len(walk.judge(picture, sight)) == 2
    assert decodes.happened() == decoded


def test_a_picture_let_go_of_can_be_asked_again() -> None:
    picture = opened(LARGE)
    first = picture.crops([face(300)])[0]

    picture.release()

    assert np.array_equal(picture.crops([face(300)])[0], first)


def test_no_face_needs_no_pixels() -> None:
    picture = opened(LARGE)

    assert picture.crops([]) == []
    assert picture.decode_seconds == 0


@pytest.mark.parametrize(
    "region", [None, Region(1000, 700, 900, 900), Region(2500, 1500, 900, 900)]
)
@pytest.mark.parametrize("size", [160, 320, 640])
def test_a_look_does_not_show_how_the_photo_was_decoded(size: int, region: Region | None) -> None:
    reduced = opened(LARGE).inputs([size], SEARCH, region)[0]
    full = opened(LARGE, may_reduce=False).inputs([size], SEARCH, region)[0]

    assert (reduced.scale, reduced.left, reduced.top) == (full.scale, full.left, full.top)
    assert np.abs(reduced.pixels.astype(int) - full.pixels).mean() < 1
    direct = letterbox(decode(LARGE, LIMITS), size, region)
    # Without grain nothing is aliased: the same picture as of the full pixels.
    assert np.abs(reduced.pixels.astype(int) - direct.pixels).mean() < 1
    assert (reduced.scale, reduced.left, reduced.top) == (direct.scale, direct.left, direct.top)


@pytest.mark.parametrize("side", [60, 130, 240, 470, 950, 2000])
def test_a_crop_does_not_show_how_the_photo_was_decoded(side: int) -> None:
    reduced = opened(LARGE).crops([face(side)])[0]
    full = opened(LARGE, may_reduce=False).crops([face(side)])[0]

    assert np.abs(reduced.astype(int) - full).mean() < 1
    direct = align(decode(LARGE, LIMITS), face(side))
    assert np.abs(reduced.astype(int) - direct).mean() < 1.5


def test_a_crop_is_the_same_whatever_other_faces_there_are() -> None:
    alone = opened(LARGE, may_reduce=False).crops([face(950)])[0]
    together = opened(LARGE, may_reduce=False).crops([face(40), face(950)])[1]

    assert np.array_equal(alone, together)


@pytest.mark.parametrize(
    "data",
    [SMALL, files.encoded(painted(500, 640, grain=20), "JPEG", icc_profile=files.display_p3())],
    ids=["sRGB", "Display P3"],
)
def test_a_small_photo_is_taken_as_it_is(data: bytes) -> None:
    photo = decode(data, LIMITS)
    picture = opened(data)

    for size in (160, 640):
        expected = letterbox(photo, size).pixels
        assert np.array_equal(picture.inputs([size], SEARCH)[0].pixels, expected)
    assert np.array_equal(picture.crops([face(300, 50, 50)])[0], align(photo, face(300, 50, 50)))


def test_colours_of_a_large_photo_are_those_of_its_full_decode() -> None:
    data = files.encoded(painted(1400, 1000), "JPEG", icc_profile=files.display_p3())
    photo = decode(data, LIMITS)

    look = opened(data).inputs([320], SEARCH)[0].pixels
    crop = opened(data).crops([face(200)])[0]

    assert np.abs(look.astype(int) - letterbox(photo, 320).pixels).mean() < 1.5
    assert np.abs(crop.astype(int) - align(photo, face(200))).mean() < 1.5


@pytest.mark.parametrize("size", [(2000, 1), (1, 2000), (3000, 3)])
def test_a_photo_too_thin_for_a_coarser_level_is_looked_at_all_the_same(
    size: tuple[int, int],
) -> None:
    picture = opened(files.encoded(Image.new("RGB", size, "red"), "PNG"))

    assert picture.inputs([160], SEARCH)[0].pixels.max() > 200


def test_the_pixels_of_the_next_level_are_means_in_the_same_frame() -> None:
    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)

    half = halved(Photo(pixels, width=14, height=10, reduction=2))

    assert (half.width, half.height, half.reduction) == (14, 10, 4)
    assert half.pixels.shape == (2, 3, 3)
    assert half.pixels[0, 0].tolist() == [12, 13, 14]


def test_errors_are_those_of_the_item() -> None:
    with pytest.raises(InvalidImage):
        opened(LARGE[: len(LARGE) // 2]).inputs([320], SEARCH)
    with pytest.raises(InvalidRegion):
        opened(LARGE).inputs([320], SEARCH, Region(5000, 0, 10, 10))
    with pytest.raises(InvalidLandmarks):
        opened(LARGE).crops([np.zeros((4, 2), np.float32)])


def iou(one: AnalyzedFace, other: AnalyzedFace) -> float:
    (left, top, right, bottom), (x1, y1, x2, y2) = one.box, other.box
    shared = max(min(right, x2) - max(left, x1), 0) * max(min(bottom, y2) - max(top, y1), 0)
    return shared / ((right - left) * (bottom - top) + (x2 - x1) * (y2 - y1) - shared)


def same_face(face: AnalyzedFace, faces: Sequence[AnalyzedFace]) -> AnalyzedFace:
    return max(faces, key=lambda other: iou(face, other))


@pytest.fixture(scope="session")
def originals(photos_dir: Path) -> dict[str, bytes]:
    """A portrait and a group as from a camera, 10 megapixels each, with grain."""
    names = ("RD_d1.jpeg", "bulk_woman_search.jpeg", "bulk_yifei.jpg")
    people = [Image.open(photos_dir / name).convert("RGB") for name in names]
    group = Image.new("RGB", (5600, 1800))
    for place, person in enumerate([*people, *people]):
        group.paste(person.resize((930, 1200)), (place * 933, 100 + place * 80))
    return {
        "portrait": with_grain(people[2].resize((2810, 3740), Image.Resampling.BICUBIC)),
        "group": with_grain(group),
    }


def with_grain(image: Image.Image) -> bytes:
    pixels = np.asarray(image)
    tile = np.random.default_rng(3).standard_normal((250, 250, 3)) * 4
    height, width = pixels.shape[:2]
    grain = np.tile(tile.astype(np.int16), (height // 250 + 1, width // 250 + 1, 1))
    grained = cv2.add(pixels, grain[:height, :width], dtype=cv2.CV_8U)
    return files.encoded(Image.fromarray(np.asarray(grained)), "JPEG", quality=88)


@pytest.mark.pack
@pytest.mark.slow
@pytest.mark.parametrize("is_early_stop", [True, False], ids=["search", "full"])
def test_faces_and_embeddings_do_not_show_how_the_photo_was_decoded(
    detector: Detector, recogniser: Recogniser, originals: dict[str, bytes], is_early_stop: bool
) -> None:
    options = AnalyzeOptions(is_early_stop=is_early_stop)
    reducing, decoding_in_full = (
        BareEngine(detector, recogniser, looks=LookPolicy(), limits=LIMITS, may_reduce=may_reduce)
        for may_reduce in (True, False)
    )
    for name, people in (("portrait", 1), ("group", 6)):
        reduced = reducing.analyze(originals[name], options)
        full = decoding_in_full.analyze(originals[name], options)

        assert len(reduced.faces) == len(full.faces) == people
        for face in full.faces:
            other = same_face(face, reduced.faces)
            assert face.embedding is not None
            assert other.embedding is not None
            assert iou(face, other) > 0.98
            assert float(face.embedding @ other.embedding) > 0.995
            assert face.quality.sharpness == pytest.approx(other.quality.sharpness, abs=0.02)
