"""What every image of ours keeps to."""

from __future__ import annotations

import re
import shlex
from pathlib import PurePosixPath

import pytest

from bench.images.dockerfile import Dockerfile, exec_form, flags, pairs, parse
from bench.images.ignore import is_ignored, rules_of, visible
from edge import __version__
from edge.settings import EdgeSettings
from inference.settings import Settings as InferenceSettings
from storage.settings import StorageSettings
from tests.conftest import ROOT
from tests.unit.docs.configuration_page import settings_of

IMAGES = ("edge", "inference", "inference-gpu")
REQUIREMENTS = {
    "edge": "requirements/otel.txt",
    "inference": "requirements/inference-cpu.txt",
    "inference-gpu": "requirements/inference-gpu.txt",
}
SETTINGS = {
    variable: default
    for kind in (EdgeSettings, StorageSettings, InferenceSettings)
    for variable, default, _ in settings_of(kind)
}
OF_PYTHON_AND_THE_SYSTEM = {
    *("PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONSAFEPATH", "PYTHONUNBUFFERED", "XDG_CACHE_HOME"),
    *("NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"),
}
PINNED = re.compile(r"debian:[a-z]+-\d{8}-slim@sha256:[0-9a-f]{64}")


def dockerfile(image: str) -> Dockerfile:
    return parse((ROOT / f"deploy/docker/{image}.Dockerfile").read_text("utf-8"))


def requirements(image: str) -> set[str]:
    """Names of the packages that an image gets."""
    text = (ROOT / REQUIREMENTS[image]).read_text("utf-8")
    return set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))


def environment(image: str) -> dict[str, str]:
    final = dockerfile(image).stages[-1]
    return {name: value for one in final.all("ENV") for name, value in pairs(one, {}).items()}


@pytest.fixture(params=IMAGES)
def image(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_all_stages_stand_on_one_base_that_is_pinned_by_date_and_digest(image: str) -> None:
    base, build, final = dockerfile(image).stages
    assert PINNED.fullmatch(base.base)
    assert base.base == dockerfile("edge").stages[0].base
    assert {build.base, final.base} == {base.name}


def test_the_image_has_no_compiler_and_no_installer(image: str) -> None:
    base, build, final = dockerfile(image).stages
    kept = [one.rest for stage in (base, final) for one in stage.all("RUN")]
    unwanted = re.compile(r"(gcc|g\+\+|build-|pip|python3-(dev|pip|venv))")
    assert not [word for rest in kept for word in shlex.split(rest) if unwanted.match(word)]
    assert all(one.rest.startswith("--from=build ") for one in final.all("COPY"))
    # Nor is anything compiled on the way.
    assert "--only-binary :all:" in " ".join(one.rest for one in build.all("RUN"))


def test_requirements_are_installed_by_their_hashes_and_without_resolving(image: str) -> None:
    build = dockerfile(image).stages[1]
    steps = [step for one in build.all("RUN") for step in one.rest.split("&&")]
    installs = [step for step in steps if " install " in step and " -r " in step]
    assert {step.split(" -r ")[1].strip() for step in installs} == {
        "requirements/build.txt",
        REQUIREMENTS[image],
    }
    for step in installs:
        assert {"--require-hashes", "--no-deps", "--no-cache-dir"} <= set(step.split()), step


def test_each_image_gets_what_its_process_needs_and_nothing_of_the_other(image: str) -> None:
    packages = requirements(image)
    runtimes = {"onnxruntime", "onnxruntime-gpu", "openvino"} & packages
    assert (
        runtimes
        == {
            "edge": set(),
            "inference": {"onnxruntime", "openvino"},
            "inference-gpu": {"onnxruntime-gpu"},
        }[image]
    )
    edge_only = {"fastapi", "pymilvus", "milvus-lite", "sqlalchemy", "asyncpg", "uvicorn", "typer"}
    assert edge_only & packages == (edge_only if image == "edge" else set())
    pixels = {"opencv-python-headless", "pillow", "simplejpeg", "onnx"}
    assert pixels & packages == (set() if image == "edge" else pixels)
    assert "opentelemetry-sdk" in packages, "traces are a setting, not another image"


def test_a_user_with_numbers_runs_it_and_nobody_is_root_after_that(image: str) -> None:
    final = dockerfile(image).stages[-1]
    words = [one.word for one in final.instructions]
    assert [one.rest for one in final.all("USER")] == ["10001:10001"]
    assert "RUN" not in words[words.index("USER") :]
    created = " ".join(one.rest for one in final.all("RUN"))
    assert "--uid 10001 --gid 10001" in created


def test_programs_are_in_exec_form_so_that_signals_reach_them(image: str) -> None:
    final = dockerfile(image).stages[-1]
    (entrypoint,) = final.all("ENTRYPOINT")
    process = "edge" if image == "edge" else "inference"
    assert exec_form(entrypoint) == ("python", "-m", process)
    (health,) = final.all("HEALTHCHECK")
    options, command = flags(health)
    assert exec_form(health, command.removeprefix("CMD ")) == ("python", "-m", f"{process}.health")
    assert set(options) == {"interval", "timeout", "start-period", "retries"}
    assert [one.rest for one in final.all("STOPSIGNAL")] == ["SIGTERM"]


def test_every_variable_is_a_setting_and_differs_from_its_default(image: str) -> None:
    for name, value in environment(image).items():
        if name not in OF_PYTHON_AND_THE_SYSTEM:
            assert name in SETTINGS, name
            assert SETTINGS[name] != value, f"{name} is {value} anyway"


def test_it_listens_where_other_containers_reach_it_on_the_ports_it_says(image: str) -> None:
    final = dockerfile(image).stages[-1]
    ports = {port for one in final.all("EXPOSE") for port in one.rest.split()}
    names = ("EDGE_PORT",) if image == "edge" else ("INFERENCE_PORT", "INFERENCE_METRICS_PORT")
    assert ports == {SETTINGS[name] for name in names}
    hosts = [value for name, value in environment(image).items() if name.endswith("HOST")]
    assert hosts == ["0.0.0.0"] * len(names)  # noqa: S104  # what a container must do


def test_labels_say_what_it_is_and_of_which_version(image: str) -> None:
    final = dockerfile(image).stages[-1]
    arguments = dict(one.rest.split("=") for one in final.all("ARG"))
    assert arguments["VERSION"] == __version__
    labels = {
        key: value for one in final.all("LABEL") for key, value in pairs(one, arguments).items()
    }
    prefix = "org.opencontainers.image."
    for name in ("title", "description", "source", "licenses", "version", "revision"):
        assert labels[f"{prefix}{name}"], name
    assert labels[f"{prefix}version"] == __version__


def test_what_changes_most_often_comes_last(image: str) -> None:
    build = dockerfile(image).stages[1]
    pinned, code = build.all("COPY")
    assert pinned.rest.startswith("requirements/")
    assert code.rest == ". ."
    between = [one for one in build.all("RUN") if pinned.line < one.line < code.line]
    assert any(REQUIREMENTS[image] in one.rest for one in between)
    final = [one.word for one in dockerfile(image).stages[-1].instructions]
    assert final.index("ARG") > final.index("COPY"), "a new revision keeps the layers"


@pytest.mark.parametrize(
    "path",
    [
        ".git/HEAD",
        ".env",
        "edge/.env",
        ".venv/bin/python",
        "bench/__init__.py",
        "data/records.db",
        "deploy/docker/.env",
        "docs/docker.md",
        "edge/__pycache__/app.cpython-311.pyc",
        "shared/data/photo.jpg",
        "tests/conftest.py",
        "training/checkpoints/recogniser.pt",
    ],
)
def test_a_build_does_not_see(path: str) -> None:
    rules = rules_of((ROOT / ".dockerignore").read_text("utf-8"))
    assert is_ignored(PurePosixPath(path), rules)


def test_a_build_sees_all_that_wheels_are_made_of() -> None:
    rules = rules_of((ROOT / ".dockerignore").read_text("utf-8"))
    seen = {str(path) for path in visible(ROOT, rules)}
    packages = ("certificates", "cli", "edge", "inference", "proto", "storage", "telemetry")
    for package in packages:
        modules = (path for path in (ROOT / package).rglob("*.py"))
        assert {str(path.relative_to(ROOT)) for path in modules} <= seen
    assert {"pyproject.toml", "README.md", "LICENSE", *REQUIREMENTS.values()} <= seen
    assert {path.split("/")[0] for path in seen if "/" in path} == {*packages, "requirements"}
