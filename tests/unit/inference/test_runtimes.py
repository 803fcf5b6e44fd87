"""From settings to the sessions of a pack."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from inference.errors import PackError
from inference.models.pack import Pack, load_pack
from inference.pipeline.looks import LookPolicy
from inference.runtimes import looks_of, open_sessions
from inference.sessions.choose import is_openvino_installed
from inference.settings import SettingsError, load_settings
from tests.unit.inference import networks

needs_openvino = pytest.mark.skipif(not is_openvino_installed(), reason="needs OpenVINO")


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    folder = tmp_path / "small"
    folder.mkdir()
    networks.detector(folder / "det.onnx")
    networks.recogniser(folder / "rec.onnx")
    return load_pack(folder)


def test_a_pack_has_a_say_in_how_photos_are_looked_at(pack: Pack) -> None:
    settings = load_settings({}, look_sizes="160,320")
    plain = looks_of(pack, settings)
    assert plain.turn_margin == LookPolicy().turn_margin
    wary = looks_of(dataclasses.replace(pack, turn_margin=0.15), settings)
    assert (wary.turn_margin, wary.sizes) == (0.15, (160, 320))


@needs_openvino
def test_openvino_keeps_what_it_compiles_in_a_folder_of_its_own(pack: Pack, tmp_path: Path) -> None:
    settings = load_settings(
        {}, runtime="openvino", precision="f32", cache_dir=str(tmp_path / "cache")
    )
    sessions = open_sessions(pack, settings)
    session = sessions.detector()

    assert session.runtime.startswith("openvino ")
    assert session.runtime.endswith(" f32")
    assert not sessions.may_batch
    assert [folder.name for folder in (tmp_path / "cache").iterdir()] == ["openvino"]


def test_onnxruntime_runs_batches_and_keeps_nothing(pack: Pack, tmp_path: Path) -> None:
    settings = load_settings({}, runtime="onnxruntime", cache_dir=str(tmp_path / "cache"))
    sessions = open_sessions(pack, settings)

    assert sessions.recogniser().runtime.startswith("onnxruntime ")
    assert sessions.may_batch


@needs_openvino
def test_where_nothing_is_to_be_kept_it_runs_all_the_same(pack: Pack) -> None:
    settings = load_settings({}, runtime="openvino", precision="f32", cache_dir="none")

    assert settings.cache_folder is None
    assert open_sessions(pack, settings).recogniser().device == "cpu"


@pytest.mark.parametrize(
    ("runtime", "other"), [("onnxruntime", "openvino"), ("openvino", "onnxruntime")]
)
@needs_openvino
def test_only_the_runtime_that_is_chosen_is_imported(pack: Pack, runtime: str, other: str) -> None:
    code = (
        "import sys; from pathlib import Path; from inference.engine import open_engine\n"
        "from inference.models.pack import load_pack\n"
        "from inference.runtimes import open_sessions\n"
        "from inference.settings import load_settings\n"
        f"settings = load_settings({{}}, runtime={runtime!r}, precision='f32', cache_dir='none')\n"
        f"open_sessions(load_pack(Path({str(pack.folder)!r})), settings)\n"
        f"assert {runtime!r} in sys.modules and {other!r} not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("RUNTIME", "tensorflow"), ("RUNTIME", "OpenVINO"), ("PRECISION", "int4")]
)
def test_an_unknown_runtime_or_precision_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"INFERENCE_{name}", value)

    with pytest.raises(SettingsError, match=f"INFERENCE_{name}='{value}'") as refused:
        load_settings()
    assert "\n" not in str(refused.value)


@needs_openvino
def test_a_network_that_went_away_is_refused_by_name(pack: Pack) -> None:
    pack.recogniser.unlink()
    settings = load_settings({}, runtime="openvino", precision="f32", cache_dir="none")

    with pytest.raises(PackError, match=r"rec\.onnx is missing"):
        _ = open_sessions(pack, settings).recogniser().inputs


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"XDG_CACHE_HOME": "/var/cache"}, "/var/cache/facesearch"),
        ({"XDG_CACHE_HOME": ""}, "/home/me/.cache/facesearch"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/facesearch"),
        ({"INFERENCE_CACHE_DIR": "/kept", "XDG_CACHE_HOME": "/var/cache"}, "/kept"),
    ],
)
def test_the_folder_of_what_is_kept(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    monkeypatch.delenv("INFERENCE_CACHE_DIR", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert load_settings({}).cache_folder == Path(folder)
