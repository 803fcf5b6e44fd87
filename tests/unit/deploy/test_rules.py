"""The rules of Prometheus: they load, they fire when they should, and somebody wrote what to do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from edge.app import create_app
from edge.backend import Backend
from edge.middleware.keys import OPEN_PATHS
from edge.settings import EdgeSettings
from tests.unit.deploy.monitoring import (
    EXAMPLE,
    GUIDE,
    RULE_FILES,
    RULE_TESTS,
    Rule,
    alerts,
    binary,
    metrics_of,
    panel_queries,
    read_yaml,
    recorded,
    rule_queries,
)

ALERTS = alerts()
each_alert = pytest.mark.parametrize(("name", "rule"), ALERTS, ids=[name for name, _ in ALERTS])


def promtool(*arguments: str | Path) -> None:
    done = subprocess.run(
        [binary("promtool"), *arguments], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_the_rules() -> None:
    promtool("check", "rules", *RULE_FILES)


def test_prometheus_takes_the_example_of_a_configuration() -> None:
    promtool("check", "config", EXAMPLE)


@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: file.stem)
def test_alerts_fire_when_they_should_and_only_then(file: Path) -> None:
    promtool("test", "rules", file)


@each_alert
def test_an_alert_was_seen_silent_and_firing(name: str, rule: Rule) -> None:
    seen = [
        bool(case.get("exp_alerts"))
        for file in RULE_TESTS
        for test in read_yaml(file)["tests"]
        for case in test.get("alert_rule_test", [])
        if case["alertname"] == name
    ]
    always_fires = rule.labels["severity"] == "none"
    assert set(seen) == ({True} if always_fires else {True, False})


@each_alert
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(name: str, rule: Rule) -> None:
    assert rule.labels["severity"] in {"critical", "warning", "none"}
    assert rule.annotations["summary"]
    assert rule.annotations["runbook"] == f"docs/monitoring.md#{name.lower()}"


@each_alert
def test_an_alert_compares_one_figure_with_one_number(name: str, rule: Rule) -> None:
    outside = rule.figure
    while (inner := re.sub(r"\([^()]*\)", "", outside)) != outside:
        outside = inner
    # These bind looser than a comparison, which would be of the last part alone.
    assert not re.search(r"\b(or|and|unless)\b", outside), name


def test_the_guide_explains_every_alert_and_no_other() -> None:
    titles = re.findall(r"^#+ (Facesearch\w+)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(titles) == sorted(name for name, _ in ALERTS)


def test_every_recorded_figure_is_used_and_every_used_one_is_recorded() -> None:
    asked_for = set[str]()
    for query in (*panel_queries(), *rule_queries()):
        asked_for |= {name for name in metrics_of(query.expr) if ":" in name}
    assert asked_for == set(recorded())


def test_the_rules_know_calls_with_a_key_by_their_routes() -> None:
    app = create_app(EdgeSettings(api_key=SecretStr("k")), Backend())
    chosen = set[str]()
    for query in rule_queries():
        chosen |= set(re.findall(r'route=~"([^"]+)"', query.expr))
    assert len(chosen) == 1
    own = re.compile(chosen.pop())
    paths = {str(getattr(route, "path", "")) for route in app.routes}
    assert {path for path in paths if own.fullmatch(path)} == paths - OPEN_PATHS
    assert not own.fullmatch("other")
