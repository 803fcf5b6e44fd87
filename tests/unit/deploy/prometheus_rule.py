"""Writes the rules of Prometheus as the Prometheus operator reads them: `make docs`."""

from __future__ import annotations

from typing import Any

import yaml  # type: ignore[import-untyped]  # has no types of its own

from tests.conftest import ROOT
from tests.unit.deploy.monitoring import RULE_FILES, read_yaml

RULE = ROOT / "deploy/overlays/monitoring/rules.yaml"

_HEAD = """\
# deploy/prometheus/recording.yml and alerts.yml, for the Prometheus operator. Made from them by
# `make docs`; a test compares. Change them there, where they are explained and tested.
"""
_WIDE = 1 << 16
"""No expression is folded."""


def prometheus_rule() -> dict[str, Any]:
    """The one object that holds them all."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "facesearch",
            "namespace": "image-search",
            "labels": {"app.kubernetes.io/part-of": "image-search"},
        },
        "spec": {"groups": [group for file in RULE_FILES for group in read_yaml(file)["groups"]]},
    }


def text() -> str:
    """What the file says."""
    dumped: str = yaml.safe_dump(prometheus_rule(), sort_keys=False, width=_WIDE)
    return _HEAD + dumped


def write() -> None:
    """Bring the file up to date."""
    RULE.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    write()
