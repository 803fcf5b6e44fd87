"""What deploy/k8s says of pods: their settings, and the times of their lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # has no types of its own

from bench.kit.world import ROOT

FOLDER = ROOT / "deploy" / "k8s"
_ENDPOINTS_SECONDS = 1.0
"""Until a balancer knows of a change: no manifest says it, and clusters need less than a second."""


@dataclass(frozen=True, slots=True)
class Times:
    """Of the life of a pod, in seconds."""

    endpoints: float
    """From its deletion until the balancer sends nothing there any more."""
    min_ready: float
    """How long a new pod is ready before an old one is deleted."""
    pre_stop: float
    """From its deletion to SIGTERM."""
    grace: float
    """From its deletion to SIGKILL."""


@dataclass(frozen=True, slots=True)
class PodSpec:
    """Of one Deployment."""

    times: Times
    settings: Mapping[str, str]
    """Variables of its ConfigMap."""


def pod_spec(name: str, folder: Path = FOLDER) -> PodSpec:
    """What the folder says of the pods of a Deployment, and of its only container.

    Raises KeyError if it does not, OSError if the folder is not there.
    """
    objects = {
        (one["kind"], one["metadata"]["name"]): one
        for file in sorted(folder.glob("*.yaml"))
        for one in yaml.safe_load_all(file.read_text("utf-8"))
        if one
    }
    deployment: dict[str, Any] = objects["Deployment", name]["spec"]
    pod = deployment["template"]["spec"]
    times = Times(
        endpoints=_ENDPOINTS_SECONDS,
        min_ready=float(deployment["minReadySeconds"]),
        pre_stop=float(pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]),
        grace=float(pod["terminationGracePeriodSeconds"]),
    )
    return PodSpec(times, dict(objects["ConfigMap", name]["data"]))
