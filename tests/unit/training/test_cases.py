"""What is special about a photo, and what a network weighs."""

from pathlib import Path

import pytest

from tests.unit.inference import networks
from training.evaluate.cases import case_of
from training.evaluate.machine import read_machine
from training.evaluate.size import network_size


@pytest.mark.parametrize(
    ("file", "note", "most", "case"),
    [
        ("bulk_view.jpg", "", 0, "without faces"),
        ("bulk_kun_cartoon_crop.jpg", "", 1, "drawings"),
        ("crop_crop_mask.png", "mask, fills the frame", 1, "masks"),
        ("pose_right_face.png", "profile", 1, "heads turned, tilted or in profile"),
        ("emotion_happy.png", "the face fills the frame: missed", 1, "faces that fill the frame"),
        ("bulk_blur.jpg", "strong blur", 1, "strong blur"),
        (
            "attribute_1561.jpg",
            "small, blurred faces count or not",
            3,
            "several faces, or cut ones",
        ),
        ("RD_d3.jpeg", "", 1, "others"),
    ],
)
def test_a_photo_has_the_first_case_that_fits(file: str, note: str, most: int, case: str) -> None:
    photo = {"file": file, "faces_min": min(1, most), "faces_max": most}
    assert case_of({**photo, "note": note} if note else photo) == case


def test_shapes_of_a_graph_are_no_parameters(tmp_path: Path) -> None:
    file = networks.recogniser(tmp_path / "rec.onnx", dim=16)
    size = network_size(file)
    # 3 channels of 2×2 pooled pixels times 16 outputs; the shape of its Reshape does not count.
    assert (size.file, size.parameters) == ("rec.onnx", 3 * 2 * 2 * 16)
    assert size.bytes == file.stat().st_size


def test_a_machine_is_named_by_its_processor_and_its_telling_instructions(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nmodel name : Some CPU\nflags : avx2 fpu avx512f\n")
    machine = read_machine(cpuinfo)
    assert (machine.cpu, machine.instructions) == ("Some CPU", ("avx512f", "avx2"))


def test_a_machine_that_says_nothing_is_named_by_its_architecture(tmp_path: Path) -> None:
    machine = read_machine(tmp_path / "none")
    assert machine.cpu
    assert machine.instructions == ()
