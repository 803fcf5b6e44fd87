"""The dashboards of Grafana: complete, in order, and provisioned as the files say."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.deploy.monitoring import DASHBOARDS, GRAFANA, GUIDE, dashboard, read_yaml

COLUMNS = 24
each_dashboard = pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or above)


def test_there_is_an_overview_one_for_inference_and_one_for_stores_and_jobs() -> None:
    assert [file.stem for file in DASHBOARDS] == ["inference", "overview", "stores"]
    assert len({dashboard(file)["uid"] for file in DASHBOARDS}) == len(DASHBOARDS)


@each_dashboard
def test_panels_lie_side_by_side(file: Path) -> None:
    panels = dashboard(file)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places: list[dict[str, int]] = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= COLUMNS for place in places)
    assert not [pair for pair in itertools.combinations(places, 2) if overlap(*pair)]


@each_dashboard
def test_every_panel_says_what_it_shows(file: Path) -> None:
    for panel in dashboard(file)["panels"]:
        assert panel["title"]
        assert panel["description"], panel["title"]
        assert panel["targets"], panel["title"]


@each_dashboard
def test_every_panel_asks_the_prometheus_that_is_chosen_at_the_top(file: Path) -> None:
    read = dashboard(file)
    chosen = variable(read, "datasource")
    provisioned = read_yaml(GRAFANA / "provisioning/datasources/facesearch.yml")["datasources"]
    assert [chosen["current"]["value"]] == [source["uid"] for source in provisioned]
    for part in (*read["panels"], *read["templating"]["list"][1:]):
        assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@each_dashboard
def test_every_variable_of_a_query_is_one_of_the_dashboard(file: Path) -> None:
    read = dashboard(file)
    known = {entry["name"] for entry in read["templating"]["list"]} | {"__rate_interval"}
    for panel in read["panels"]:
        for target in panel["targets"]:
            assert set(re.findall(r"\$\{?(\w+)", target["expr"])) <= known, panel["title"]


def test_the_guide_copies_the_dashboards_to_where_grafana_looks_for_them() -> None:
    providers = read_yaml(GRAFANA / "provisioning/dashboards/facesearch.yml")["providers"]
    for provider in providers:
        assert provider["options"]["path"] in GUIDE.read_text(encoding="utf-8")


def variable(read: dict[str, Any], name: str) -> dict[str, Any]:
    """A variable at the top of a dashboard."""
    [found] = [entry for entry in read["templating"]["list"] if entry["name"] == name]
    assert isinstance(found, dict)
    return found
