"""The requirements of the inference images hold what inference imports."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest

from tests.conftest import ROOT

OURS = {"certificates", "facesearch", "inference", "telemetry"}
NOT_IN_THE_IMAGE = {
    # `facesearch models pull` fetches packs on a workstation; imported by nothing that serves.
    "insightface",
}
RUNTIMES = {"onnxruntime", "openvino"}


def pins(name: str) -> dict[str, str]:
    """Versions by package and marker."""
    text = (ROOT / f"requirements/{name}.txt").read_text("utf-8")
    found = re.findall(r"^([a-z0-9-]+)==(\S+)(?: ; ([^\\\n]+?))?(?: \\)?$", text, re.MULTILINE)
    return {f"{package} {marker}".strip(): version for package, version, marker in found}


def imported() -> Iterator[str]:
    """Modules that inference and what it shares import, by their first name or first two."""
    for package in ("certificates", "inference", "telemetry"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module


@pytest.mark.parametrize("image", ["cpu", "gpu"])
def test_what_inference_imports_is_in_its_image(image: str) -> None:
    packages = {line.split(" ")[0] for line in pins(f"inference-{image}")}
    # Several packages share google; the contract says which one we mean.
    providers = {**packages_distributions(), "google": ["googleapis-common-protos"]}
    wanted = {name.split(".")[0] for name in imported()}
    for module in wanted - OURS - NOT_IN_THE_IMAGE - RUNTIMES - set(sys.stdlib_module_names):
        assert {normal(one) for one in providers[module]} & packages, module


def normal(name: str) -> str:
    """As requirements files write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", ["build", "inference-cpu", "inference-gpu"])
def test_versions_are_those_of_the_other_files(name: str) -> None:
    all_of_them = pins("gpu") | pins("dev")
    for package, version in pins(name).items():
        assert all_of_them[package] == version, f"run sh requirements/compile.sh: {package}"


def test_the_two_runtimes_of_onnx_are_never_together() -> None:
    assert "onnxruntime" not in pins("inference-gpu")
    assert "onnxruntime-gpu" not in pins("inference-cpu")
