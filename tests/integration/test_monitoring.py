"""A real Prometheus scrapes real processes, and everything that is asked of it has an answer."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml  # type: ignore[import-untyped]  # has no types of its own

from tests.certificates import Authority
from tests.faults.outages import free_port, small, until
from tests.integration.metrics_page import samples
from tests.integration.processes import run, start_inference
from tests.integration.system import Client, client_of, start_edge
from tests.unit.deploy.monitoring import (
    DASHBOARDS,
    EXAMPLE,
    RULE_FILES,
    Query,
    binary,
    dashboard,
    documented_metrics,
    metrics_of,
    panel_queries,
    read_yaml,
    recorded,
    rule_queries,
)

ANSWER_SECONDS = 120.0
"""Generous: a test machine may be busy with other things."""
OF_PROMETHEUS = {"up", "ALERTS"}
"""Series that Prometheus makes itself."""


class Prometheus:
    """A server with the example's configuration."""

    def __init__(self, url: str) -> None:
        self.http = httpx2.Client(base_url=url, timeout=30)

    def is_ready(self) -> bool:
        try:
            return self.http.get("/-/ready").status_code == 200
        except httpx2.TransportError:
            return False

    def get(self, path: str, **parameters: str) -> Any:
        """`data` of an answer of the API; it must work."""
        answer = self.http.get(f"/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def has_values(self, metric: str, label: str) -> bool:
        """Whether a series of this metric has the label."""
        return bool(self.get(f"label/{label}/values", **{"match[]": metric}))

    def values(self, expr: str) -> list[float]:
        """What an expression gives now; it must be a valid one."""
        result = self.get("query", query=expr)["result"]
        return [float(series["value"][1]) for series in result]


@dataclass(frozen=True)
class Watched:
    """Everything, running."""

    client: Client
    prometheus: Prometheus
    edge_port: int
    inference_metrics_port: int
    photo: bytes

    def is_used(self) -> None:
        """One request of every sort: a photo comes in, a person is looked for, a caller errs."""
        self.client.put_photo(f"photo-{time.monotonic_ns()}", self.photo + os.urandom(8))
        self.client.search(self.photo + os.urandom(8))
        self.client.detect(self.photo + os.urandom(8))
        assert self.client.try_search(b"no photo").status_code == 415

    def metrics(self) -> set[str]:
        """The names on both pages."""
        both = samples(self.edge_port) | samples(self.inference_metrics_port)
        return {name.partition("{")[0] for name in both}


@contextmanager
def prometheus_of(folder: Path, targets: dict[str, str]) -> Iterator[Prometheus]:
    """Runs on the example's configuration, with these addresses by job, and in more of a hurry."""
    config = read_yaml(EXAMPLE)
    config["global"] = {
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "evaluation_interval": "1s",
    }
    config["rule_files"] = [str(file) for file in RULE_FILES]
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        str(binary("prometheus")),
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'series'}",
        f"--web.listen-address={address}",
    ]
    with run(command, {}) as process:
        prometheus = Prometheus(f"http://{address}")
        with prometheus.http:
            until(prometheus.is_ready, f"a Prometheus that is ready: {process.text()}")
            yield prometheus


@pytest.fixture(scope="module")
def watched(
    pack_dir: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    binary("prometheus")  # before anything is started in vain
    folder = tmp_path_factory.mktemp("monitoring")
    photo = small(shared / "data/photos/bulk_yifei.jpg")
    authority = Authority("ours", days=400)
    ca = str(authority.write(folder))
    issued = authority.issue(folder, "both", days=365)
    own = {"CERT": str(issued.certificate), "KEY": str(issued.key)}
    metrics_port = free_port()
    with (
        start_inference(
            pack_dir,
            METRICS_PORT=str(metrics_port),
            TLS_CLIENT_CA=ca,
            **{f"TLS_{name}": file for name, file in own.items()},
        ) as inference,
        start_edge(
            folder / "data",
            inference.address,
            EDGE_SWEEP_SECONDS="1",
            STORAGE_VECTORS_URL="memory://",  # a start takes half as long
            EDGE_INFERENCE_TLS_CA=ca,
            **{f"EDGE_INFERENCE_TLS_{name}": file for name, file in own.items()},
        ) as edge,
        client_of(edge) as client,
        prometheus_of(
            folder,
            {
                "facesearch-edge": edge.address,
                "facesearch-inference": f"127.0.0.1:{metrics_port}",
            },
        ) as prometheus,
    ):
        yield Watched(client, prometheus, edge.port, metrics_port, photo)


def test_every_query_of_every_panel_and_rule_returns_data(watched: Watched) -> None:
    unanswered: list[Query] = [*panel_queries(), *rule_queries()]
    end = time.monotonic() + ANSWER_SECONDS
    while unanswered:
        assert time.monotonic() < end, "\n".join(map(str, unanswered))
        watched.is_used()
        unanswered = [
            query
            for query in unanswered
            if all(map(math.isnan, watched.prometheus.values(query.instantiated)))
        ]


def test_prometheus_evaluates_every_rule_without_an_error(watched: Watched) -> None:
    def evaluated() -> list[dict[str, Any]]:
        groups = watched.prometheus.get("rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    until(lambda: all(rule["health"] != "unknown" for rule in evaluated()), "evaluated rules")
    assert [rule for rule in evaluated() if rule["health"] != "ok"] == []


def test_a_service_that_is_well_raises_no_alert_but_the_watchdog(watched: Watched) -> None:
    def firing() -> set[str]:
        alerts = watched.prometheus.get("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    watched.is_used()
    until(lambda: bool(firing()), "an evaluation of the alerts")
    assert firing() == {"FacesearchWatchdog"}


def test_the_process_counts_its_sweeps(watched: Watched) -> None:
    def sweeps() -> float:
        return samples(watched.edge_port)['facesearch_edge_sweeps_total{outcome="done"}']

    until(lambda: sweeps() > 0, "a sweep")


def test_every_variable_of_a_dashboard_has_values(watched: Watched) -> None:
    asked = [
        entry["query"]["query"]
        for file in DASHBOARDS
        for entry in dashboard(file)["templating"]["list"]
        if entry["type"] == "query"
    ]
    assert asked
    for query in asked:
        metric, label = query.removeprefix("label_values(").removesuffix(")").split(", ")
        has_values = partial(watched.prometheus.has_values, metric, label)
        until(has_values, f"values of {label} of {metric}")


def test_every_metric_that_is_named_is_on_a_page_of_ours(watched: Watched) -> None:
    watched.is_used()
    there = watched.metrics() | set(recorded()) | OF_PROMETHEUS
    for query in (*panel_queries(), *rule_queries()):
        assert metrics_of(query.expr) <= there, query.where
    for name in documented_metrics():
        # A histogram is three series, none of which has its bare name.
        assert {name, f"{name}_count"} & there, name
