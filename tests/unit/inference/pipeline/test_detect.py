from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import ModelFault, PackError
from inference.models.graphs import DETECTOR_DEFAULT, DetectorGraph, RowOrder, read_graph
from inference.models.pack import Pack
from inference.pipeline.decode import decode
from inference.pipeline.detect import Detector, split_rows
from inference.pipeline.faces import DecodeLimits, Detections, FloatArray, Region
from inference.pipeline.letterbox import DetectorInput, letterbox
from inference.sessions.fake import Feeds, detector_rows, fake_detector
from inference.sessions.onnx import OnnxOptions, OnnxSessions
from tests.unit.inference import networks

LIMITS = DecodeLimits(20 << 20, 50_000_000)


def load(file: Path) -> Detector:
    graph = read_graph(file)
    assert isinstance(graph, DetectorGraph)
    return Detector.load(graph, OnnxSessions(graph.model, OnnxOptions()))


def noise(count: int, size: int = 96) -> list[DetectorInput]:
    generator = np.random.default_rng(4)
    return [
        DetectorInput(generator.integers(0, 256, (size, size, 3), dtype=np.uint8), 1.0, 0.0, 0.0)
        for _ in range(count)
    ]


def assert_same(one: Detections, other: Detections) -> None:
    assert len(one) == len(other)
    assert np.abs(one.boxes - other.boxes).max(initial=0) < 0.1
    assert np.abs(one.landmarks - other.landmarks).max(initial=0) < 0.1
    assert np.abs(one.scores - other.scores).max(initial=0) < 1e-4


@given(st.integers(1, 4), st.integers(1, 5), st.sampled_from([1, 4, 10]))
def test_interleaved_rows_go_to_their_images(cells: int, batch: int, columns: int) -> None:
    each = [
        np.random.default_rng(row).normal(size=(cells * cells * 2, columns)).astype(np.float32)
        for row in range(batch)
    ]
    rows = np.stack([one.reshape(cells * cells, 2, columns) for one in each], axis=1)

    found = split_rows(rows.reshape(-1, columns), cells * cells, batch, RowOrder.INTERLEAVED)

    assert np.array_equal(found.reshape(batch, -1, columns), np.stack(each))


@pytest.mark.parametrize("rows", ["interleaved", "contiguous", "per_image"])
def test_an_export_that_allows_it_runs_batches_that_equal_single_runs(
    tmp_path: Path, rows: networks.Rows
) -> None:
    detector = load(networks.detector(tmp_path / "det.onnx", rows=rows))
    images = noise(5)

    together = detector.detect(images, 0.3)

    assert detector.batched
    assert sum(map(len, together)) > 0
    for image, found in zip(images, together, strict=True):
        assert_same(found, detector.detect([image], 0.3)[0])


def test_an_export_that_holds_on_to_one_image_runs_singly(tmp_path: Path) -> None:
    detector = load(networks.detector(tmp_path / "det.onnx", rows="batch_of_one"))
    images = noise(3)

    assert not detector.batched
    for image, found in zip(images, detector.detect(images, 0.3), strict=True):
        assert_same(found, detector.detect([image], 0.3)[0])


def test_an_export_whose_batch_is_wrong_runs_singly_on_a_session_that_never_failed(
    pack_like: DetectorGraph,
) -> None:
    def only_one(feeds: Feeds) -> list[FloatArray]:
        batch = next(iter(feeds.values()))
        if len(batch) > 1:
            raise ModelFault("one image only")
        return detector_rows([1], batch.shape[-1], 0.9)

    made = [fake_detector(answer=only_one), fake_detector(answer=only_one)]
    sessions = iter(made)
    detector = Detector.load(pack_like, lambda: next(sessions))

    assert not detector.batched
    assert detector.session is made[1]


def test_a_batch_is_padded_to_its_bucket_and_the_padding_is_not_answered(
    pack_like: DetectorGraph,
) -> None:
    session = fake_detector(lambda _image: 1)
    detector = Detector(pack_like, session, batched=True)

    found = detector.detect(noise(3, 128), 0.5, bucket=8)

    assert session.batch_sizes == [8]
    assert [len(one) for one in found] == [1, 1, 1]


def test_each_image_has_its_own_limit(pack_like: DetectorGraph) -> None:
    detector = Detector(pack_like, fake_detector(lambda _image: 2, score=0.6), batched=True)

    found = detector.detect(noise(3, 128), [0.5, 0.7, 0.6])

    assert [len(one) for one in found] == [2, 0, 2]


def test_a_limit_of_zero_is_a_limit(pack_like: DetectorGraph) -> None:
    detector = Detector(pack_like, fake_detector(lambda _image: 0), batched=True)

    (found,) = detector.detect(noise(1, 640), 0.0)

    assert 0 < len(found) <= 1000
    assert np.isfinite(found.boxes).all()


def test_no_image_is_no_run(pack_like: DetectorGraph) -> None:
    session = fake_detector()

    assert Detector(pack_like, session, batched=True).detect([]) == []
    assert session.runs == []


@pytest.mark.parametrize("head", [0, 3, 6])
def test_numbers_that_are_none_are_a_fault_of_the_model(
    pack_like: DetectorGraph, head: int
) -> None:
    def broken(feeds: Feeds) -> list[FloatArray]:
        outputs = detector_rows([1], next(iter(feeds.values())).shape[-1], 0.9)
        outputs[head + 2][outputs[head + 2] > 0] = np.nan
        return outputs

    with pytest.raises(ModelFault, match="not numbers"):
        Detector(pack_like, fake_detector(answer=broken)).detect(noise(1, 128))


def test_the_wrong_number_of_rows_is_a_fault_of_the_model(pack_like: DetectorGraph) -> None:
    def short(feeds: Feeds) -> list[FloatArray]:
        return [rows[:-2] for rows in detector_rows([1], next(iter(feeds.values())).shape[-1], 0.9)]

    with pytest.raises(ModelFault, match="rows where"):
        Detector(pack_like, fake_detector(answer=short)).detect(noise(1, 128))


@pytest.mark.pack
def test_the_weights_at_hand_run_batches_that_equal_single_runs(
    pack: Pack, detector: Detector, photos_dir: Path
) -> None:
    names = ["RD_d3.jpeg", "attribute_7242.jpg", "bulk_yifei.jpg", "bulk_view.jpg"]
    photos = [decode((photos_dir / name).read_bytes(), LIMITS) for name in names]
    images = [letterbox(photo, 320) for photo in photos]

    together = detector.detect(images, bucket=8)

    assert detector.batched, pack.id
    assert [len(found) for found in together] == [1, 2, 1, 0]
    for image, found in zip(images, together, strict=True):
        assert_same(found, detector.detect([image])[0])


@pytest.mark.pack
def test_boxes_and_landmarks_of_a_region_are_in_the_frame_of_the_photo(
    detector: Detector, photos_dir: Path
) -> None:
    photo = decode((photos_dir / "attribute_7242.jpg").read_bytes(), LIMITS)
    (whole,) = detector.detect([letterbox(photo, 320)])
    x1, y1, x2, y2 = (float(edge) for edge in whole.boxes[0])
    around = Region(x1 - 30, y1 - 30, x2 - x1 + 60, y2 - y1 + 60)

    (part,) = detector.detect([letterbox(photo, 160, around)])

    assert np.abs(part.boxes[0] - whole.boxes[0]).max() < 0.08 * (x2 - x1)
    assert np.abs(part.landmarks[0] - whole.landmarks[0]).max() < 0.08 * (x2 - x1)


def test_a_network_that_is_no_scrfd_after_all_is_refused_by_name(
    pack_like: DetectorGraph,
) -> None:
    def short(feeds: Feeds) -> list[FloatArray]:
        return [rows[:-2] for rows in detector_rows([1], next(iter(feeds.values())).shape[-1], 0.9)]

    with pytest.raises(PackError, match=r"det\.onnx: the detector gave"):
        Detector.load(pack_like, lambda: fake_detector(answer=short))


@pytest.fixture
def pack_like() -> DetectorGraph:
    """A graph that a fake session fits."""
    return DetectorGraph(
        file=Path("det.onnx"),
        input_name="input",
        output_names=tuple(f"output{number}" for number in range(9)),
        fixed_size=None,
        normalisation=DETECTOR_DEFAULT,
        row_order=RowOrder.INTERLEAVED,
    )
