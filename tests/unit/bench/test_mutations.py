"""Damaged images: made of their numbers alone, damaged indeed, judged as the service promises."""

from __future__ import annotations

import io
import json
import zlib
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
from PIL import Image

from bench.mutations import findings, structural
from bench.mutations.blocks import JPEG, PNG, WEBP, Block, Layout, layout_of
from bench.mutations.mutation import DAMAGES, Mutation, mutation
from bench.mutations.originals import Original
from bench.mutations.sending import NO_ANSWER, Outcome
from inference.pipeline.containers import jpeg, png, webp


def encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.linear_gradient("L").resize((48, 32)).convert("RGB").save(stream, kind)
    return stream.getvalue()


FILES = {kind: encoded(kind) for kind in ("JPEG", "PNG", "WEBP", "BMP")}
ORIGINALS = [Original(f"{kind} of picture 0", data) for kind, data in FILES.items()]


def outcome(status: int = 200, code: str = "ok", seconds: float = 0.1, number: int = 0) -> Outcome:
    made = Mutation(number, "JPEG of picture 0", ("cut_off",), b"bytes")
    return Outcome(made, "/search/", status, code, seconds)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_file_put_together_from_its_blocks_is_the_same_file(kind: str) -> None:
    layout = layout_of(FILES[kind])
    assert layout is not None
    assert layout.join(layout.split(FILES[kind])) == FILES[kind]


def test_a_damaged_chunk_has_the_right_checksum() -> None:
    header = PNG.split(PNG.join([Block(b"IHDR", b"anything")]))[0]
    assert header == Block(b"IHDR", b"anything")
    assert PNG.join([header]).endswith(zlib.crc32(b"IHDRanything").to_bytes(4, "big"))


@pytest.mark.parametrize(
    ("layout", "kind", "field"),
    [
        (JPEG, b"\xff\xe1", b"\x00\x4d"),
        (PNG, b"eXIf", b"\x00\x00\x00\x4d"),
        (WEBP, b"EXIF", b"\x4d\x00\x00\x00"),
    ],
    ids=lambda value: value.name if isinstance(value, Layout) else "",
)
def test_a_block_may_say_another_length_than_it_has(
    layout: Layout, kind: bytes, field: bytes
) -> None:
    assert field in layout.join([Block(kind, b"1234", declared=77)])
    assert field not in layout.join([Block(kind, b"1234")])


def test_the_same_seed_and_number_give_the_same_image_and_others_do_not() -> None:
    series = [mutation(1, number, ORIGINALS) for number in range(60)]
    assert series == [mutation(1, number, ORIGINALS) for number in range(60)]
    assert sum(one.data != mutation(2, one.number, ORIGINALS).data for one in series) > 50
    assert sum(one.data not in FILES.values() for one in series) > 50


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_can_be_done_to_any_bytes(damage: str) -> None:
    for number, data in enumerate([*FILES.values(), b"", b"\xff", b"\xff\xd8", PNG.join([])]):
        for seed in range(10):
            DAMAGES[damage](Random(f"{seed} {number}"), data, FILES["PNG"])


@pytest.mark.parametrize(("kind", "container"), [("JPEG", jpeg), ("PNG", png), ("WEBP", webp)])
def test_a_header_can_be_made_to_lie_about_the_size(kind: str, container: ModuleType) -> None:
    sizes = [
        container.size(structural.changed(structural.other_sides, Random(seed), FILES[kind]))
        for seed in range(40)
    ]
    assert any(max(size) > 4_000 for size in sizes)
    assert all(size != (48, 32) for size in sizes)


@pytest.mark.parametrize(
    ("answer", "is_fault"),
    [
        (outcome(200), False),
        (outcome(415, "invalid_image_format"), False),
        (outcome(413, "image_too_large"), False),
        (outcome(422, "no_faces_detected"), False),
        (outcome(500, "internal"), True),
        (outcome(503, "inference_unavailable"), True),
        (outcome(NO_ANSWER, "no answer"), True),
        (outcome(400, "invalid_parameter"), True),
        (outcome(200, seconds=11.0), True),
    ],
)
def test_only_an_answer_or_a_refusal_of_the_image_in_time_is_right(
    answer: Outcome, is_fault: bool
) -> None:
    assert (answer.fault is not None) == is_fault


def test_figures_count_each_kind_of_fault_once() -> None:
    answers = [outcome(), outcome(500, "internal"), outcome(400, "x"), outcome(200, seconds=12.0)]
    found = {figure.name: figure.value for figure in findings.figures(answers, 1, 5)}
    assert found["damaged images sent"] == 4
    assert found["answers 5xx, or none at all"] == 1
    assert found["processes that ended"] == 1
    assert found["answers after the deadline"] == 1
    assert found["answers that are no documented refusal of an image"] == 1


def test_a_504_after_the_deadline_is_both() -> None:
    found = {
        figure.name: figure.value
        for figure in findings.figures([outcome(504, "deadline_exceeded", 10.6)], 0, 1)
    }
    assert found["answers 5xx, or none at all"] == 1
    assert found["answers after the deadline"] == 1
    assert found["answers that are no documented refusal of an image"] == 0


def test_an_image_that_failed_is_kept_with_the_way_to_make_it_again(tmp_path: Path) -> None:
    kept = findings.keep_failures([outcome(), outcome(500, "internal", number=7)], 3, tmp_path)
    assert kept == 1
    assert (tmp_path / "seed3-7.bin").read_bytes() == b"bytes"
    facts = json.loads((tmp_path / "seed3-7.json").read_text())
    assert facts["made_by"] == "python -m bench.mutations.image 3 7"
    assert facts["answer"] == "500 internal"
    assert not list(tmp_path.glob("seed3-0*"))
