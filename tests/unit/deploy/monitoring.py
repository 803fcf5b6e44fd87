"""The rules and the dashboards as tests read them, and the programs that check them."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from tests.conftest import ROOT, missing

PROMETHEUS = ROOT / "deploy/prometheus"
GRAFANA = ROOT / "deploy/grafana"
EXAMPLE = PROMETHEUS / "prometheus.yml"
RULE_FILES = (PROMETHEUS / "recording.yml", PROMETHEUS / "alerts.yml")
RULE_TESTS = tuple(sorted((PROMETHEUS / "tests").glob("*.yml")))
DASHBOARDS = tuple(sorted((GRAFANA / "dashboards").glob("*.json")))
GUIDE = ROOT / "docs/monitoring.md"

BINARIES = "FACESEARCH_TEST_PROMETHEUS_BIN"
"""The folder of `prometheus` and `promtool`, if they are not on the PATH."""

# What Grafana puts in for a panel of an hour, with Prometheus scraping every 15 s.
_VARIABLES = {"$__rate_interval": "1m", "$instance": ".*"}
_COMPARISON = re.compile(r"(?P<figure>.+)\s[<>]\s+[\d.]+", re.DOTALL)
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\([^)]*\)")
_TEXT_LABELS_AND_RANGES = re.compile(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]')
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\w|\s*\()")
_WORDS = frozenset({"or", "and", "unless", "bool"})


@dataclass(frozen=True)
class Rule:
    """A rule of either kind."""

    record: str | None
    alert: str | None
    expr: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def figure(self) -> str:
        """What it records; of an alert, what it compares with a number."""
        if self.alert is None:
            return self.expr
        compared = _COMPARISON.fullmatch(self.expr.strip())
        assert compared is not None, f"{self.alert} compares no figure with a number"
        return compared["figure"]


@dataclass(frozen=True)
class Query:
    """An expression of PromQL, and where it stands."""

    where: str
    expr: str

    @property
    def instantiated(self) -> str:
        """With everything put in that Grafana puts in."""
        expr = self.expr
        for variable, value in _VARIABLES.items():
            expr = expr.replace(variable, value)
        assert "$" not in expr, f"{self.where}: a variable that nobody defines in {expr}"
        return expr


def binary(name: str) -> Path:
    """`prometheus` or `promtool`; skips the test without them, and in CI fails it.

    "none" for their folder says that they are not to be had: then it is skipped there, too.
    """
    if os.environ.get(BINARIES) == "none":
        pytest.skip(f"no {name} is to be had here ({BINARIES}=none)")
    found = shutil.which(name, path=os.environ.get(BINARIES))
    if found is None:
        missing(f"no {name}: install Debian's package prometheus, or set {BINARIES}")
    assert found is not None
    return Path(found)


def read_yaml(file: Path) -> dict[str, Any]:
    """What a file says."""
    read = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert isinstance(read, dict)
    return read


def rules() -> list[Rule]:
    """Every rule, recording rules first."""
    return [
        Rule(
            rule.get("record"),
            rule.get("alert"),
            rule["expr"],
            rule.get("labels", {}),
            rule.get("annotations", {}),
        )
        for file in RULE_FILES
        for group in read_yaml(file)["groups"]
        for rule in group["rules"]
    ]


def alerts() -> list[tuple[str, Rule]]:
    """The alerts by their names."""
    return [(rule.alert, rule) for rule in rules() if rule.alert is not None]


def recorded() -> list[str]:
    """The names of what the rules record."""
    return [rule.record for rule in rules() if rule.record is not None]


def dashboard(file: Path) -> dict[str, Any]:
    """A dashboard as Grafana reads it."""
    read = json.loads(file.read_text(encoding="utf-8"))
    assert isinstance(read, dict)
    return read


def panel_queries() -> Iterator[Query]:
    """Every query of every panel of every dashboard."""
    for file in DASHBOARDS:
        for panel in dashboard(file)["panels"]:
            for target in panel["targets"]:
                where = f"{file.name}: {panel['title']} ({target['refId']})"
                yield Query(where, target["expr"])


def rule_queries() -> Iterator[Query]:
    """What each rule records, or compares."""
    for rule in rules():
        yield Query(f"rule {rule.record or rule.alert}", rule.figure)


def metrics_of(expr: str) -> set[str]:
    """The names of the series that an expression asks for."""
    bare = _GROUPING.sub(" ", _TEXT_LABELS_AND_RANGES.sub(" ", expr))
    return set(_NAME.findall(bare)) - _WORDS


def documented_metrics() -> Sequence[str]:
    """The metrics that the guide names."""
    return re.findall(r"`(facesearch_\w+|process_\w+)[`{]", GUIDE.read_text(encoding="utf-8"))
