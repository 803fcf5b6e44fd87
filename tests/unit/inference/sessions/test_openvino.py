from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

pytest.importorskip("openvino", reason="needs OpenVINO")

from inference.errors import ModelFault, PackError
from inference.models.graphs import DetectorGraph, RecogniserGraph, read_graph
from inference.models.pack import load_pack
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.sessions.choose import Precision
from inference.sessions.kept import KeptFiles
from inference.sessions.onnx import OnnxOptions, OnnxSessions
from inference.sessions.openvino import (
    OpenVinoOptions,
    OpenVinoSession,
    OpenVinoSessions,
    last_line,
)
from tests.unit.inference import networks

F32 = OpenVinoOptions()
OWN_CPU_SECONDS = 0.15


@pytest.fixture
def graph(tmp_path: Path) -> RecogniserGraph:
    graph = read_graph(networks.recogniser(tmp_path / "rec.onnx", dim=16, batch=1))
    assert isinstance(graph, RecogniserGraph)
    return graph


@pytest.fixture
def kept(tmp_path: Path) -> KeptFiles:
    return KeptFiles(tmp_path / "kept")


def faces(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(count, 3, 112, 112)).astype(np.float32)


@pytest.mark.parametrize("count", [1, 3])
def test_a_network_gives_what_it_gives_in_onnxruntime(graph: RecogniserGraph, count: int) -> None:
    session = OpenVinoSessions(graph.model, F32)()
    other = OnnxSessions(graph.model, OnnxOptions())()

    (rows,) = session.run({"image": faces(count)})

    assert rows.dtype == np.float32
    assert np.allclose(rows, other.run({"image": faces(count)})[0], atol=1e-5)
    assert session.inputs == other.inputs
    assert [output.name for output in session.outputs] == ["embedding"]


def test_an_array_is_read_anew_in_every_run_and_what_came_out_stays(graph: RecogniserGraph) -> None:
    session = OpenVinoSessions(graph.model, F32)()
    one, other = faces(2)[:1], faces(2)[1:]
    feed = one.copy()
    (first,) = session.run({"image": feed})
    kept = first.copy()

    feed[:] = other
    (second,) = session.run({"image": feed})

    assert np.array_equal(first, kept)
    assert not np.allclose(second, first, atol=1e-3)
    assert np.array_equal(second, session.run({"image": other})[0])
    assert np.array_equal(session.run({"image": one})[0], first)


def test_an_array_may_lie_anyhow(graph: RecogniserGraph) -> None:
    session = OpenVinoSessions(graph.model, F32)()
    (expected,) = session.run({"image": faces(1)})
    crossed = np.asfortranarray(faces(1))
    read_only = faces(1)
    read_only.flags.writeable = False
    for feed in (crossed, read_only, faces(1).astype(np.float64)):
        for _ in range(2):
            (rows,) = session.run({"image": feed})  # type: ignore[dict-item]  # of float64, too
            assert np.array_equal(rows, expected)


@pytest.mark.parametrize("rows", ["interleaved", "contiguous", "per_image"])
def test_the_outputs_of_a_detector_come_in_the_order_of_its_graph(
    tmp_path: Path, rows: networks.Rows
) -> None:
    graph = read_graph(networks.detector(tmp_path / "det.onnx", rows=rows))
    assert isinstance(graph, DetectorGraph)
    image = np.random.default_rng(0).normal(size=(1, 3, 96, 96)).astype(np.float32)
    expected = OnnxSessions(graph.model, OnnxOptions())().run({"image": image})

    found = OpenVinoSessions(graph.model, F32)().run({"image": image})

    for one, other in zip(found, expected, strict=True):
        assert np.allclose(one, other, atol=1e-4)


def test_a_session_says_what_it_runs_on(graph: RecogniserGraph) -> None:
    session = OpenVinoSessions(graph.model, OpenVinoOptions(Precision.BF16))()

    assert session.runtime.startswith("openvino 20")
    assert session.runtime.endswith(" bf16")
    assert session.device == "cpu"
    assert list(session.providers) == ["CPU"]


def test_every_call_of_the_factory_makes_another_session(graph: RecogniserGraph) -> None:
    make = OpenVinoSessions(graph.model, F32)

    assert make() is not make()


def test_a_session_is_compiled_once_for_each_shape(graph: RecogniserGraph) -> None:
    session = OpenVinoSessions(graph.model, F32)()

    for count in (1, 2, 1, 2):
        session.run({"image": faces(count)})

    assert session.shapes == ((("image", (1, 3, 112, 112)),), (("image", (2, 3, 112, 112)),))


def test_outputs_outlive_the_next_run_and_feeds_are_left_alone(graph: RecogniserGraph) -> None:
    session = OpenVinoSessions(graph.model, F32)()
    feed = faces(1)
    (first,) = session.run({"image": feed})
    as_it_was = first.copy()

    session.run({"image": -feed})

    assert np.array_equal(first, as_it_was)
    assert np.array_equal(feed, faces(1))


def test_a_feed_that_is_filled_again_is_read_again(graph: RecogniserGraph) -> None:
    session = OpenVinoSessions(graph.model, F32)()
    feed = faces(1)
    (first,) = session.run({"image": feed})

    feed *= 2

    assert np.allclose(session.run({"image": feed})[0], 2 * first, atol=1e-5)


def test_what_is_no_network_is_refused_in_one_line(tmp_path: Path) -> None:
    graph = read_graph(networks.recogniser(tmp_path / "rec.onnx"))
    assert isinstance(graph, RecogniserGraph)
    make = OpenVinoSessions(lambda: b"no network", F32)

    with pytest.raises(PackError, match=r"rec\.onnx: .*Unable to read the model") as raised:
        Recogniser.load(graph, make)
    assert "\n" not in str(raised.value)
    with pytest.raises(PackError, match="cannot run this network"):
        _ = make().inputs


def test_a_failed_run_is_a_fault_of_the_model(graph: RecogniserGraph) -> None:
    session = OpenVinoSessions(graph.model, F32)()

    for feeds in ({"image": faces(1)[:, :2]}, {"no such input": faces(1)}):
        with pytest.raises(ModelFault, match="openvino failed") as raised:
            session.run(feeds)
        assert "\n" not in str(raised.value)


def test_of_an_error_the_last_line_is_said() -> None:
    said = "Exception from src/core.cpp:217:\nCheck 'a == b' failed:\nIt does not fit.\n\n"

    assert last_line(RuntimeError(said)) == "It does not fit."
    assert last_line(RuntimeError("")) == "RuntimeError"


class Counted:
    """A network's bytes, and how often they were asked for."""

    def __init__(self, load: Callable[[], bytes]) -> None:
        self.load = load
        self.times = 0

    def __call__(self) -> bytes:
        self.times += 1
        return self.load()


def test_what_was_compiled_is_not_compiled_again(
    graph: RecogniserGraph, kept: KeptFiles, tmp_path: Path
) -> None:
    OpenVinoSessions(graph.model, F32, kept)().run({"image": faces(1)})
    (file,) = (tmp_path / "kept").iterdir()
    was = file.read_bytes()

    load = Counted(graph.model)
    (rows,) = OpenVinoSessions(load, F32, kept)().run({"image": faces(1)})

    assert load.times == 1, "read for its digest, not to be compiled"
    assert file.read_bytes() == was
    assert np.allclose(rows, OpenVinoSessions(graph.model, F32)().run({"image": faces(1)})[0])


@pytest.mark.parametrize(
    "options",
    [
        OpenVinoOptions(threads=2),
        OpenVinoOptions(Precision.BF16),
        OpenVinoOptions(cpu_identity="another"),
    ],
)
def test_what_was_compiled_otherwise_is_not_taken(
    graph: RecogniserGraph, kept: KeptFiles, tmp_path: Path, options: OpenVinoOptions
) -> None:
    OpenVinoSessions(graph.model, F32, kept)().run({"image": faces(1)})
    OpenVinoSessions(graph.model, options, kept)().run({"image": faces(1)})

    assert len(list((tmp_path / "kept").iterdir())) == 2


def test_another_network_of_the_same_name_is_compiled_for_itself(
    kept: KeptFiles, tmp_path: Path
) -> None:
    for dim in (16, 8):
        graph = read_graph(networks.recogniser(tmp_path / "rec.onnx", dim=dim))
        assert isinstance(graph, RecogniserGraph)
        (rows,) = OpenVinoSessions(graph.model, F32, kept)().run({"image": faces(1)})
        assert rows.shape == (1, dim)


@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_damaged_file_is_compiled_anew(
    graph: RecogniserGraph, kept: KeptFiles, tmp_path: Path, is_sealed: bool
) -> None:
    """Sealed: the digest is right and the content is not, as of a version that wrote another."""
    (expected,) = OpenVinoSessions(graph.model, F32, kept)().run({"image": faces(1)})
    (file,) = (tmp_path / "kept").iterdir()
    if is_sealed:
        kept.write(file.name, b"no compiled model" * 100)
    else:
        file.write_bytes(file.read_bytes()[:-100])

    with capture_logs() as logs:
        (found,) = OpenVinoSessions(graph.model, F32, kept)().run({"image": faces(1)})

    assert np.allclose(found, expected)
    assert [line["event"] for line in logs] == [
        "compiled_model_refused" if is_sealed else "damaged_file_deleted"
    ]
    with capture_logs() as logs:
        OpenVinoSessions(graph.model, F32, kept)().run({"image": faces(1)})
    assert not logs, "it was kept anew"


def test_importing_it_tells_nobody_and_bars_nothing() -> None:
    code = (
        "import sys; import inference.sessions.openvino;"
        "assert not [name for name in sys.modules if 'telemetry' in name], 'telemetry';"
        "assert 'onnxruntime' not in sys.modules, 'both runtimes';"
        "assert 'openvino.tools.ovc' not in sys.modules, 'barred for good'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.pack
def test_two_sessions_work_at_once_and_on_any_core(pack_dir: Path) -> None:
    """Whatever else the machine does: the slower has used CPU when the faster is done."""
    graph = load_pack(pack_dir).detector_graph
    make = OpenVinoSessions(graph.model, F32)
    size = graph.fixed_size or 320
    feeds = {graph.input_name: np.zeros((1, 3, size, size), dtype=np.float32)}
    sessions = [make(), make()]
    for session in sessions:
        session.run(feeds)
    cores = os.sched_getaffinity(0)
    started = threading.Barrier(2)
    used: list[tuple[float, float]] = []

    def work(session: OpenVinoSession, other: int) -> None:
        started.wait()
        before = [_cpu_seconds(thread) for thread in (threads[1 - other], threads[other])]
        # Long enough for turns of a busy machine's scheduler not to matter, whatever the network.
        while _cpu_seconds(threads[1 - other]) - before[0] < OWN_CPU_SECONDS:
            session.run(feeds)
        now = [_cpu_seconds(thread) for thread in (threads[1 - other], threads[other])]
        used.append((now[0] - before[0], now[1] - before[1]))
        ended.wait()

    ended = threading.Barrier(3)
    threads = [
        threading.Thread(target=work, args=(session, 1 - number))
        for number, session in enumerate(sessions)
    ]
    for thread in threads:
        thread.start()
    while len(used) < 2:
        for thread in threads:
            assert thread.native_id is not None
            assert os.sched_getaffinity(thread.native_id) == cores
        threads[0].join(0.005)
    ended.wait()

    own, others = used[0]
    assert others > 0.3 * own, "one waited for the other"


def _cpu_seconds(thread: threading.Thread) -> float:
    assert thread.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


@pytest.mark.pack
def test_the_weights_at_hand_run_singly_in_batches_that_equal_single_runs(pack_dir: Path) -> None:
    pack = load_pack(pack_dir)
    crops = list(np.random.default_rng(2).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8))
    recogniser = Recogniser.load(
        pack.recogniser_graph, OpenVinoSessions(pack.recogniser_graph.model, F32), may_batch=False
    )
    detector = Detector.load(
        pack.detector_graph, OpenVinoSessions(pack.detector_graph.model, F32), may_batch=False
    )

    together = recogniser.embed(crops, bucket=8)

    assert not recogniser.batched
    assert not detector.batched
    alone = np.concatenate([recogniser.embed([crop]) for crop in crops])
    assert np.array_equal(together, alone)
    assert isinstance(recogniser.session, OpenVinoSession)
    assert [shape[0] for ((_, shape),) in recogniser.session.shapes] == [1]
