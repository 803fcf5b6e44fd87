"""From settings to sessions on a GPU, as far as it goes without one."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Lock, Thread

import onnxruntime
import pytest

from inference.errors import DeviceError
from inference.models.pack import Pack, load_pack
from inference.on_gpu import (
    OneAtATime,
    detector_on_gpu,
    gpu_options,
    recogniser_on_gpu,
)
from inference.pipeline.detect import CHECK_BATCH, CHECK_SIZE
from inference.sessions.fake import FakeSession, fake_recogniser
from inference.sessions.gpu import CUDA, GpuOptions, GpuProvider
from inference.settings import Settings, SettingsError, load_settings


@pytest.fixture(scope="module")
def pack(pack_dir: Path) -> Pack:
    return load_pack(pack_dir)


def options(settings: Settings) -> GpuOptions:
    return gpu_options(settings, settings.detector_policy, settings.look_sizes, is_half=False)


def test_a_network_is_told_every_shape_that_will_come_also_those_of_the_check() -> None:
    settings = Settings(device="cuda:0", look_sizes=(320, 640))

    told = options(settings)

    assert {CHECK_BATCH, *settings.detector_policy.warm_sizes()} == set(told.batches)
    assert {CHECK_SIZE, 320, 640} == set(told.sides)


def test_the_settings_choose_provider_memory_and_rounding() -> None:
    told = options(
        Settings(device="cuda:1", provider="tensorrt", gpu_memory_bytes=3 << 30, precision="f32")
    )

    assert told.provider is GpuProvider.TENSORRT
    assert told.memory_limit_bytes == 3 << 30
    assert not told.is_tf32_allowed
    assert options(Settings(device="cuda:1")).is_tf32_allowed


@pytest.mark.skipif(
    CUDA in onnxruntime.get_available_providers(), reason="CUDA is here: see test_cuda.py"
)
@pytest.mark.parametrize("precision", ["auto", "fp16"])
def test_a_gpu_without_the_gpu_build_is_refused(pack: Pack, precision: str) -> None:
    settings = load_settings({}, device="cuda:0", precision=precision, cache_dir="none")

    with pytest.raises(DeviceError, match=r"has no CUDA.*facesearch\[gpu\]"):
        detector_on_gpu(pack, settings, Lock())()
    with pytest.raises(DeviceError, match=r"has no CUDA.*facesearch\[gpu\]"):
        recogniser_on_gpu(pack, settings, Lock())()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"provider": "tensorrt"}, "INFERENCE_PROVIDER"),
        ({"gpu_memory_bytes": 1 << 30}, "INFERENCE_GPU_MEMORY_BYTES"),
        ({"precision": "fp16"}, "INFERENCE_PRECISION"),
        ({"device": "cuda:0", "precision": "bf16"}, "INFERENCE_PRECISION"),
    ],
)
def test_settings_of_another_device_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as told:
        load_settings({}, **given)

    assert "INFERENCE_DEVICE" in str(told.value)


def test_sessions_of_one_gpu_are_made_one_at_a_time() -> None:
    lock, inside, may_leave = Lock(), Event(), Event()
    made: list[str] = []

    def first() -> FakeSession:
        inside.set()
        assert may_leave.wait(30)
        made.append("first")
        return fake_recogniser()

    def second() -> FakeSession:
        made.append("second")
        return fake_recogniser()

    one = Thread(target=OneAtATime(first, lock))
    other = Thread(target=OneAtATime(second, lock))
    one.start()
    assert inside.wait(30)
    other.start()
    assert lock.locked()
    may_leave.set()
    one.join(30)
    other.join(30)

    assert made == ["first", "second"]
    assert not lock.locked()
