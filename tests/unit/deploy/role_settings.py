"""The settings of the two processes, as the manifests give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge.settings import PREFIX as EDGE_PREFIX
from edge.settings import EdgeSettings
from inference.settings import PREFIX as INFERENCE_PREFIX
from inference.settings import Settings as InferenceSettings
from tests.unit.deploy.manifests import Manifest, environment


def edge_settings(manifests: Sequence[Manifest]) -> EdgeSettings:
    """Of the edge, without its Secret."""
    variables = environment(manifests, "edge", {})
    return EdgeSettings.model_validate(_fields(variables, EDGE_PREFIX))


def inference_settings(manifests: Sequence[Manifest]) -> InferenceSettings:
    """Of the inference server."""
    variables = environment(manifests, "inference", {})
    return InferenceSettings.model_validate(_fields(variables, INFERENCE_PREFIX))


def _fields(variables: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix).lower(): value
        for name, value in variables.items()
        if name.startswith(prefix)
    }
