"""Bad images, odd images and images too large: both processes, real weights, through HTTP."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image

from tests.integration.processes import Running
from tests.integration.system import Json, System, json_of, start_system
from tests.unit.inference.pipeline import files

pytestmark = [pytest.mark.slow, pytest.mark.pack]

MIB = 1024 * 1024
FLAT_MIB = 64
"""What inference may grow by for one file: the least of them takes 100 once it is unpacked."""
SIZE = (540, 720)


@pytest.fixture(scope="module")
def portrait(shared: Path) -> Image.Image:
    """One person."""
    return Image.open(shared / "data/photos/bulk_yifei.jpg").convert("RGB").resize(SIZE)


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, pack_dir: Path, shared: Path, portrait: Image.Image
) -> Iterator[System]:
    """A base that holds the person of the portrait and somebody else."""
    data = tmp_path_factory.mktemp("data")
    with start_system(data, pack_dir, EDGE_DEFAULT_TIMEOUT_SECONDS="30") as running:
        running.client.put_photo("her", files.encoded(portrait, "PNG"))
        other = shared / "data/photos/bulk_Rob_Lowe_0001.jpg"
        running.client.put_photo("him", other.read_bytes())
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_lost(system: System) -> Iterator[None]:
    """Whatever a test sends, the base is as it was, and both processes are the same."""
    before = system.client.listing()
    yield
    assert system.client.listing() == before
    assert system.inference.returncode is None
    assert system.edge.returncode is None


def refusals(system: System, image: bytes, name: str = "photo") -> set[tuple[int, str]]:
    """Status and code of what says no, wherever an image can be sent."""
    image_file = {"image": (name, image, "image/jpeg")}
    http = system.client.http
    answers = [
        http.put("/photos/bad", files=image_file),
        http.post("/detect_faces/", files=image_file, data={"photo_id": "bad"}),
        http.post("/search/", files=image_file),
    ]
    for answer in answers:
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        assert answer.json()["detail"]
    return {(answer.status_code, answer.json()["code"]) for answer in answers}


NOT_AN_IMAGE = {(415, "invalid_image_format")}


# What is no image


@pytest.mark.parametrize("data", [b"", b"hello", b"<svg/>", b"\xff\xd8\xff", b"%PDF-1.7\n" * 99])
def test_what_is_no_image_is_refused(system: System, data: bytes) -> None:
    assert refusals(system, data) == NOT_AN_IMAGE


@pytest.mark.parametrize("name", ["photo.jpg", "photo"])
@pytest.mark.parametrize("kind", ["BMP", "GIF", "TIFF"])
def test_other_formats_are_refused_whatever_they_are_called(
    system: System, portrait: Image.Image, kind: str, name: str
) -> None:
    assert refusals(system, files.encoded(portrait, kind), name) == NOT_AN_IMAGE


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 90}),
        ("JPEG", {"quality": 90, "progressive": True}),
        ("PNG", {}),
        ("WEBP", {"quality": 90}),
        ("WEBP", {"lossless": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else "+".join(value),
)
def test_a_photo_that_ends_too_early_is_refused_wherever_it_ends(
    system: System, portrait: Image.Image, kind: str, options: dict[str, bool | int]
) -> None:
    whole = files.encoded(portrait, kind, **options)
    ends = {1, 2, 3, 8, 12, 30, 100, len(whole) - 1, len(whole) - 2, len(whole) - 100}
    ends |= {len(whole) * share // 16 for share in range(1, 16)}
    for end in sorted(ends):
        image_file = {"image": whole[:end]}
        answer = system.client.http.post("/search/", files=image_file)
        assert (answer.status_code, answer.json()["code"]) in NOT_AN_IMAGE, f"{end} bytes"
    assert refusals(system, whole[: len(whole) // 2]) == NOT_AN_IMAGE


# What is too large


def resident_mib(process: Running, name: str) -> float:
    """VmRSS (now) or VmHWM (its peak) of a process."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def assert_memory_stays_flat(system: System, send: Callable[[], None]) -> None:
    """`send` makes inference grow by no more than messages and the allocator take."""
    # The peak of loading the models would hide that of a photo. Where it cannot be set back, the
    # test is less sharp.
    with suppress(OSError):
        Path(f"/proc/{system.inference.pid}/clear_refs").write_text("5")
    before = resident_mib(system.inference, "VmRSS")
    send()
    assert resident_mib(system.inference, "VmHWM") - before < FLAT_MIB


def bomb(width: int, height: int) -> bytes:
    """A whole PNG of one bit a pixel, all of them black."""
    rows = bytes(height * (1 + width // 8))
    return files.png(width, height, rows, depth=1, colour=0)


def jpeg_of(width: int, height: int, portrait: Image.Image) -> bytes:
    """A JPEG whose header says this."""
    data = bytearray(files.encoded(portrait, "JPEG"))
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
    return bytes(data)


def large_files(portrait: Image.Image) -> dict[str, bytes]:
    """Few bytes, many pixels."""
    return {
        "PNG of 30,000×30,000": bomb(30_000, 30_000),
        "PNG of 60 megapixels": bomb(10_000, 6_000),
        "PNG without its pixels": files.png(30_000, 30_000, b""),
        "JPEG of 60 megapixels": jpeg_of(10_000, 6_000, portrait),
        "JPEG of 65,500×65,500": jpeg_of(65_500, 65_500, portrait),
    }


def heavy_files(portrait: Image.Image) -> dict[str, bytes]:
    """Photos that carry 4.5 MiB beside their picture, or 100 MiB once unpacked."""
    small = portrait.resize((48, 64))
    png = files.encoded(small, "PNG")
    packed, heap = files.packed(100 * MIB), bytes(9 * MIB // 2)
    jpeg = files.encoded(small, "JPEG")
    for _ in range(72):
        jpeg = files.jpeg_with(jpeg, 0xE1, files.exif(1) + bytes(65_000))

    def with_chunk(kind: bytes, content: bytes) -> bytes:
        return files.png_with(png, files.png_chunk(kind, content))

    return {
        "PNG profile": with_chunk(b"iCCP", b"x\x00\x00" + packed),
        "PNG compressed text": with_chunk(b"zTXt", b"x\x00\x00" + packed),
        "PNG international text": with_chunk(b"iTXt", b"x\x00\x01\x00\x00\x00" + packed),
        "PNG text": with_chunk(b"tEXt", b"x\x00" + heap),
        "PNG EXIF": with_chunk(b"eXIf", heap),
        "JPEG EXIF": jpeg,
        "JPEG profile": files.encoded(small, "JPEG", icc_profile=heap),
        "WebP profile": files.encoded(small, "WEBP", icc_profile=heap),
        "WebP EXIF": files.encoded(small, "WEBP", exif=heap),
    }


@pytest.mark.parametrize("made_by", [large_files, heavy_files])
def test_what_unpacks_to_too_much_is_refused_and_memory_stays_flat(
    system: System,
    portrait: Image.Image,
    made_by: Callable[[Image.Image], dict[str, bytes]],
) -> None:
    for name, data in made_by(portrait).items():

        def send(name: str = name, data: bytes = data) -> None:
            assert refusals(system, data) == {(413, "image_too_large")}, name

        assert_memory_stays_flat(system, send)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize(
    ("method", "path", "size"),
    [
        ("PUT", "/photos/bad", 21 * MIB),
        ("POST", "/detect_faces/", 21 * MIB),
        ("POST", "/search/", 21 * MIB),
        ("POST", "/search/", 5 * MIB + 1),
    ],
)
def test_too_many_bytes_are_refused_and_never_reach_inference(
    system: System,
    method: str,
    path: str,
    size: int,
    is_chunked: bool,
) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="p"\r\n\r\n'
    whole = head + b"\xff" * size + b"\r\n--b--\r\n"
    pieces = (whole[at : at + 65_536] for at in range(0, len(whole), 65_536))
    answer = system.client.http.request(
        method,
        path,
        content=pieces if is_chunked else whole,
        headers={"Content-Type": "multipart/form-data; boundary=b", "X-Request-Id": "too-large"},
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "image_too_large")
    behind_it = system.client.detect(files.encoded(Image.new("RGB", (9, 9)), "PNG"))
    system.inference.wait_for_event("request", request_id=behind_it["request_id"])
    seen = {line["request_id"] for line in system.inference.events("request")}
    assert "too-large" not in seen


# What is small, or shows the wrong number of faces


@pytest.mark.parametrize("side", [1, 20])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_image_too_small_for_a_face_shows_none(system: System, side: int, kind: str) -> None:
    image = files.encoded(Image.new("RGB", (side, side), "red"), kind)
    seen = system.client.detect(image)
    assert (seen["width"], seen["height"], seen["faces"]) == (side, side, [])
    answer = system.client.try_search(image)
    assert (answer.status_code, answer.json()["code"]) == (422, "no_faces_detected")


def test_a_selfie_without_a_face_is_told_so(system: System, shared: Path) -> None:
    answer = system.client.try_search((shared / "data/photos/crop_no_face.png").read_bytes())
    problem = json_of(answer)
    assert (answer.status_code, problem["code"]) == (422, "no_faces_detected")
    assert problem["faces"] == {"count": 0, "boxes": []}


def test_a_selfie_with_two_faces_is_told_where_they_are(
    system: System, portrait: Image.Image
) -> None:
    both = Image.new("RGB", (2 * SIZE[0], SIZE[1]))
    both.paste(portrait, (0, 0))
    both.paste(portrait.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (SIZE[0], 0))
    answer = system.client.try_search(files.encoded(both, "JPEG", quality=90))
    problem = json_of(answer)
    assert (answer.status_code, problem["code"]) == (422, "too_many_faces")
    assert problem["faces"]["count"] == 2
    left, right = sorted(problem["faces"]["boxes"], key=lambda box: float(box["x"]))
    assert left["x"] + left["width"] < SIZE[0] < right["x"]


# What is odd, and a photo all the same


def as_grey_and_alpha(image: Image.Image) -> bytes:
    grey = image.convert("L")
    grey.putalpha(255)
    return files.encoded(grey, "PNG")


def as_animation(image: Image.Image) -> bytes:
    empty = Image.new("RGB", image.size, "grey")
    return files.encoded(image, "WEBP", save_all=True, append_images=[empty, empty], quality=90)


def form_of(image: Image.Image, form: str) -> bytes:
    """The same picture in another form."""
    match form:
        case "16 bits":
            return files.png16(np.asarray(image))
        case "16 bits grey":
            return files.png16(np.asarray(image.convert("L"))[..., None], grey=True)
        case "palette":
            return files.encoded(image.quantize(256), "PNG")
        case "grey and alpha":
            return as_grey_and_alpha(image)
        case "CMYK":
            return files.encoded(image.convert("CMYK"), "JPEG", quality=90)
        case "Display P3":
            return files.encoded(image, "JPEG", quality=90, icc_profile=files.display_p3())
        case "animated WebP":
            return as_animation(image)
    return files.encoded(image, form, quality=90)


FORMS = [
    *("JPEG", "WEBP", "CMYK", "16 bits", "16 bits grey", "palette", "grey and alpha"),
    *("Display P3", "animated WebP"),
]


def iou(one: Json, other: Json) -> float:
    """Overlap of two boxes, 0 to 1."""
    across = min(one["x"] + one["width"], other["x"] + other["width"]) - max(one["x"], other["x"])
    down = min(one["y"] + one["height"], other["y"] + other["height"]) - max(one["y"], other["y"])
    shared = max(across, 0.0) * max(down, 0.0)
    areas = one["width"] * one["height"] + other["width"] * other["height"]
    return float(shared / (areas - shared))


def assert_it_is_her(system: System, image: bytes, name: str = "photo") -> None:
    """Her face alone, where it is on the plain photo, and known as hers."""
    client = system.client
    expected = client.http.get("/photos/her").json()["faces"][0]["bbox"]
    detected = client.http.post(
        "/detect_faces/", files={"image": (name, image)}, data={"keep": "false"}
    )
    assert detected.status_code == 200, detected.text
    seen = detected.json()
    assert (seen["width"], seen["height"]) == SIZE
    assert len(seen["faces"]) == 1
    assert iou(seen["faces"][0]["bbox"], expected) > 0.9
    found = client.search(image, score_threshold=-1)
    assert [row["photo_id"] for row in found["results"]] == ["her", "him"]
    assert found["results"][0]["score"] > 0.8 > found["results"][1]["score"]
    assert iou(found["query"]["bbox"], expected) > 0.8


@pytest.mark.parametrize("form", FORMS)
def test_the_right_face_is_found_in_whatever_form_it_comes(
    system: System, portrait: Image.Image, form: str
) -> None:
    assert_it_is_her(system, form_of(portrait, form))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_right_face_is_found_whichever_way_the_photo_is_stored(
    system: System, portrait: Image.Image, orientation: int, kind: str
) -> None:
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = portrait if undo is None else portrait.transpose(Image.Transpose(undo))
    data = files.encoded(stored, kind, exif=files.exif(orientation), quality=95)
    with Image.open(io.BytesIO(data)) as made:
        assert made.getexif()[0x0112] == orientation
    assert_it_is_her(system, data)


@pytest.mark.parametrize(
    ("kind", "name"), [("JPEG", "a.png"), ("PNG", "a.jpg"), ("WEBP", "a.jpeg")]
)
def test_the_name_of_a_file_says_nothing(
    system: System, portrait: Image.Image, kind: str, name: str
) -> None:
    assert_it_is_her(system, files.encoded(portrait, kind, quality=90), name)


def test_an_odd_photo_is_enrolled_and_comes_back_as_it_was(
    system: System, portrait: Image.Image
) -> None:
    client = system.client
    for number, form in enumerate(FORMS):
        image = form_of(portrait, form)
        assert len(client.put_photo(f"odd {number}", image, "odd")["faces"]) == 1, form
        assert client.http.get("/photos/", params={"photo_id": f"odd {number}"}).is_success
        kept = client.http.get("/photos/image", params={"photo_id": f"odd {number}"})
        assert kept.content == image
    found = client.search(files.encoded(portrait, "PNG"), ["odd"], score_threshold=0.7)
    assert len(found["results"]) == len(FORMS)
    gone: httpx2.Response = client.http.delete("/remove_all/", params={"collection_id": "odd"})
    assert gone.json()["photos_removed"] == len(FORMS)
