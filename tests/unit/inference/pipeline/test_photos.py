"""The right faces at the right place: real weights on real photos, in whatever form they come."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from inference.bare import BareEngine
from inference.pipeline.align import align
from inference.pipeline.decode import decode
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import (
    Analysis,
    AnalyzeOptions,
    DecodeLimits,
    Detections,
    FloatArray,
    Photo,
)
from inference.pipeline.letterbox import letterbox
from inference.pipeline.looks import LookPolicy, largest_first
from inference.settings import load_settings
from tests.unit.inference.pipeline import files

pytestmark = pytest.mark.pack

LIMITS = DecodeLimits(max_bytes=20 << 20, max_pixels=50_000_000)
PORTRAIT = "bulk_yifei.jpg"
WITH_COMPANY = (
    "Nicanor_Duarte_Frutos/Nicanor_Duarte_Frutos_0008.webp",
    "Nestor_Kirchner/Nestor_Kirchner_0036.webp",
    "Gary_Bald/Gary_Bald_0001.webp",
    "Jerry_Tarkanian/Jerry_Tarkanian_0001.webp",
)
"""Of 400 photos of LFW those on which faces overlap most."""
MAX_INSIDE = 0.5
"""Of the smaller of two boxes, in the other one: there 0.41 at most, two heads side by side."""


@dataclass(frozen=True)
class Eye:
    """Everything from bytes to faces, by the default policy."""

    detector: Detector
    recogniser: Recogniser

    def faces(self, photo: Photo) -> Detections:
        policy = LookPolicy()
        looks: list[Detections] = []
        for size in policy.sizes:
            looks += self.detector.detect([letterbox(photo, size)])
        return largest_first(policy.merge(looks))

    def embedding(self, photo: Photo) -> FloatArray:
        crop = align(photo, self.faces(photo).landmarks[0])
        return np.asarray(self.recogniser.embed([crop])[0], dtype=np.float32)


@pytest.fixture(scope="module")
def eye(detector: Detector, recogniser: Recogniser) -> Eye:
    return Eye(detector, recogniser)


@pytest.fixture(scope="module")
def portrait(photos_dir: Path) -> Image.Image:
    """One person on 540×720 pixels."""
    return Image.open(photos_dir / PORTRAIT).convert("RGB").resize((540, 720))


def as_grey_and_alpha(image: Image.Image) -> bytes:
    grey = image.convert("L")
    grey.putalpha(Image.new("L", image.size, 255))
    return files.encoded(grey, "PNG")


def as_animation(image: Image.Image) -> bytes:
    empty = Image.new("RGB", image.size, "grey")
    return files.encoded(image, "WEBP", save_all=True, append_images=[empty, empty], quality=90)


FORMS: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG": lambda image: files.encoded(image, "JPEG", quality=90),
    "WebP": lambda image: files.encoded(image, "WEBP", quality=90),
    "CMYK": lambda image: files.encoded(image.convert("CMYK"), "JPEG", quality=90),
    "16 bits": lambda image: files.png16(np.asarray(image)),
    "16 bits grey": lambda image: files.png16(np.asarray(image.convert("L"))[..., None], grey=True),
    "palette": lambda image: files.encoded(image.quantize(256), "PNG"),
    "grey and alpha": as_grey_and_alpha,
    "Display P3": lambda image: files.encoded(image, "JPEG", icc_profile=files.display_p3()),
    "animated WebP": as_animation,
}


def iou(one: FloatArray, other: FloatArray) -> float:
    shared = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    overlap = float(np.prod(np.maximum(shared, 0)))
    return overlap / (float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - overlap)


@pytest.mark.parametrize("form", FORMS)
def test_a_face_is_found_and_known_in_whatever_form_it_comes(
    eye: Eye, portrait: Image.Image, form: str
) -> None:
    plain = decode(files.encoded(portrait, "PNG"), LIMITS)

    photo = decode(FORMS[form](portrait), LIMITS)

    found, expected = eye.faces(photo), eye.faces(plain)
    assert len(found) == len(expected) == 1
    assert iou(found.boxes[0], expected.boxes[0]) > 0.9
    assert eye.embedding(photo) @ eye.embedding(plain) > 0.8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_face_is_at_its_place_whichever_way_the_photo_is_stored(
    eye: Eye, portrait: Image.Image, orientation: int
) -> None:
    expected = eye.faces(decode(files.encoded(portrait, "PNG"), LIMITS))
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = portrait if undo is None else portrait.transpose(Image.Transpose(undo))
    data = files.encoded(stored, "PNG", exif=files.exif(orientation))
    shown = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert np.array_equal(np.asarray(shown), np.asarray(portrait)), "the test stores it wrongly"

    found = eye.faces(decode(data, LIMITS))

    assert len(found) == 1
    assert iou(found.boxes[0], expected.boxes[0]) > 0.99


@pytest.mark.parametrize("size", [(1, 1), (20, 20), (2000, 1), (1, 2000)])
def test_an_image_too_small_for_a_face_has_none(eye: Eye, size: tuple[int, int]) -> None:
    assert len(eye.faces(decode(files.encoded(Image.new("RGB", size), "PNG"), LIMITS))) == 0


@pytest.fixture(scope="module")
def enrolled(detector: Detector, recogniser: Recogniser, photos_dir: Path) -> dict[str, Analysis]:
    """What an enrolment sees on each photo, turned ones turned."""
    engine = BareEngine(detector, recogniser, looks=load_settings({}).look_policy, limits=LIMITS)
    return {
        file.name: engine.analyze(file.read_bytes(), AnalyzeOptions())
        for file in sorted(photos_dir.iterdir())
    }


@pytest.mark.slow
def test_every_photo_shows_the_faces_that_a_person_sees(
    enrolled: dict[str, Analysis], photos_dir: Path
) -> None:
    wrong: list[str] = []
    index = json.loads((photos_dir.parent / "photos.json").read_text())["photos"]
    for entry in index:
        found = enrolled[entry["file"]].faces
        if not entry["faces_min"] <= len(found) <= entry["faces_max"]:
            wrong.append(f"{entry['file']}: {len(found)} faces, {[face.score for face in found]}")

    assert len(index) == 52
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_a_photo_turned_without_exif_is_set_upright(
    enrolled: dict[str, Analysis], photos_dir: Path
) -> None:
    index = json.loads((photos_dir.parent / "photos.json").read_text())["photos"]
    turns = {entry["file"]: -entry.get("turned_degrees", 0) % 360 for entry in index}
    turns["pose_left_wryneck.png"] = 90  # a head on a shoulder, 52° from upright

    assert {name: found.turn for name, found in enrolled.items()} == turns


@pytest.mark.slow
def test_no_face_has_a_second_box(enrolled: dict[str, Analysis], shared: Path, eye: Eye) -> None:
    with zipfile.ZipFile(shared / "data" / "lfw-dev.zip") as archive:
        lfw = {name: eye.faces(decode(archive.read(name), LIMITS)).boxes for name in WITH_COMPANY}
    found = {name: _boxes(analysis) for name, analysis in enrolled.items()} | lfw

    assert all(len(boxes) > 1 for boxes in lfw.values())
    inside = {name: _most_inside_another(boxes) for name, boxes in found.items()}
    assert {name: share for name, share in inside.items() if share > MAX_INSIDE} == {}


@pytest.mark.slow
@pytest.mark.parametrize("person", ["a", "rd", "kun", "rob_lowe", "woman"])
def test_photos_of_one_person_are_alike(
    enrolled: dict[str, Analysis], photos_dir: Path, person: str
) -> None:
    index = json.loads((photos_dir.parent / "photos.json").read_text())["photos"]
    names = [entry["file"] for entry in index if entry["person"] == person]
    embeddings = [enrolled[name].faces[0].embedding for name in names]

    assert _lowest([one for one in embeddings if one is not None]) > 0.25
    assert all(one is not None for one in embeddings)


def _boxes(analysis: Analysis) -> FloatArray:
    return np.array([face.box for face in analysis.faces], np.float32).reshape(-1, 4)


def _most_inside_another(boxes: FloatArray) -> float:
    """The greatest share of a box that lies in another one."""
    shares = [0.0]
    for one, other in combinations(boxes, 2):
        shared = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
        areas = [float(np.prod(box[2:] - box[:2])) for box in (one, other)]
        shares.append(float(np.prod(np.maximum(shared, 0))) / min(areas))
    return max(shares)


def _lowest(embeddings: Sequence[FloatArray]) -> float:
    return min(float(one @ other) for one, other in combinations(embeddings, 2))
