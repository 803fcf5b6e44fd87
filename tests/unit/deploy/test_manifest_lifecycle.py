"""Probes ask what the processes serve; what a pod may take to stop adds up; updates surge first."""

from __future__ import annotations

import inspect

import pytest
from pydantic import SecretStr

from edge.app import create_app
from edge.backend import Backend
from edge.middleware.keys import OPEN_PATHS
from edge.readiness import Readiness
from edge.serve import DRAIN_SLACK_SECONDS
from edge.settings import EdgeSettings
from inference.listener import SERVICE
from tests.unit.deploy.manifests import (
    FULL_OVERLAYS,
    Manifest,
    all_but,
    base,
    container_of,
    named,
    of,
    pod_of,
    port_of,
)
from tests.unit.deploy.role_settings import edge_settings, inference_settings

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
SPARE_SECONDS = 5
"""At least, for the end of the process itself."""
each_full = pytest.mark.parametrize("name", ["base", *FULL_OVERLAYS])


def stop_seconds(manifests: list[Manifest], deployment: str) -> tuple[int, int]:
    """The grace of a pod, and how much of it is over when it gets its SIGTERM."""
    sleep = container_of(manifests, deployment)["lifecycle"]["preStop"]["sleep"]["seconds"]
    pod = pod_of(named(manifests, "Deployment", deployment))
    return pod["terminationGracePeriodSeconds"], sleep


def patience_seconds(probe: Manifest) -> int:
    """How long a probe may fail before something happens."""
    seconds = probe["periodSeconds"] * probe["failureThreshold"]
    assert isinstance(seconds, int)
    return seconds


@each_full
def test_every_pod_has_all_three_probes(name: str) -> None:
    for deployment in ("edge", "inference"):
        assert set(PROBES) <= set(container_of(of(name), deployment))


@each_full
def test_containers_declare_the_ports_that_the_processes_listen_on(name: str) -> None:
    edge, inference = edge_settings(of(name)), inference_settings(of(name))
    assert port_of(container_of(of(name), "edge"), "http") == edge.port
    assert port_of(container_of(of(name), "inference"), "grpc") == inference.port
    assert port_of(container_of(of(name), "inference"), "metrics") == inference.metrics_port


def test_probes_of_the_edge_ask_paths_that_need_no_key() -> None:
    app = create_app(EdgeSettings(api_key=SecretStr("k")), Backend())
    served = {getattr(route, "path", "") for route in app.routes}
    container = container_of(base(), "edge")
    for probe in PROBES:
        asked = container[probe]["httpGet"]
        assert asked["path"] in served & OPEN_PATHS
        assert port_of(container, asked["port"]) == edge_settings(base()).port


def test_only_readiness_asks_for_what_the_edge_depends_on() -> None:
    container = container_of(base(), "edge")
    asked = {probe: container[probe]["httpGet"]["path"] for probe in PROBES}
    # A restart mends no store, and all edges would be restarted at once.
    assert asked == {
        "startupProbe": "/livez",
        "readinessProbe": "/readyz",
        "livenessProbe": "/livez",
    }


def test_probes_of_inference_ask_for_health_of_a_service_that_is_there() -> None:
    container = container_of(base(), "inference")
    for probe in PROBES:
        asked = container[probe]["grpc"]
        assert asked["port"] == inference_settings(base()).port
        assert asked.get("service", "") in {"", SERVICE}
    assert container["readinessProbe"]["grpc"]["service"] == SERVICE


def test_the_edge_has_time_to_say_that_it_is_not_ready() -> None:
    # Its dependencies are asked at once, and then inference whether the packs agree.
    ask_seconds = 2 * inspect.signature(Readiness).parameters["timeout_seconds"].default
    assert container_of(base(), "edge")["readinessProbe"]["timeoutSeconds"] > ask_seconds


@each_full
def test_a_pod_is_restarted_only_when_it_hangs_for_long(name: str) -> None:
    for deployment in ("edge", "inference"):
        container = container_of(of(name), deployment)
        alive, ready = container["livenessProbe"], container["readinessProbe"]
        assert patience_seconds(alive) >= 30
        assert patience_seconds(alive) > patience_seconds(ready)
        assert patience_seconds(container["startupProbe"]) >= 60


@each_full
def test_the_grace_of_an_edge_is_long_enough_for_its_drain(name: str) -> None:
    settings = edge_settings(of(name))
    grace, before_sigterm = stop_seconds(of(name), "edge")
    drain = settings.drain_delay_seconds + settings.max_timeout_seconds + DRAIN_SLACK_SECONDS
    assert before_sigterm + drain + SPARE_SECONDS <= grace


@each_full
def test_the_grace_of_inference_is_long_enough_for_its_drain(name: str) -> None:
    settings = inference_settings(of(name))
    grace, before_sigterm = stop_seconds(of(name), "inference")
    drain = settings.drain_delay_seconds + settings.drain_timeout_seconds
    assert before_sigterm + drain + SPARE_SECONDS <= grace


@each_full
def test_inference_finishes_what_an_edge_may_still_wait_for(name: str) -> None:
    longest = edge_settings(of(name)).max_timeout_seconds
    assert inference_settings(of(name)).drain_timeout_seconds >= longest


@each_full
def test_load_balancers_have_time_to_look_away(name: str) -> None:
    for deployment in ("edge", "inference"):
        assert stop_seconds(of(name), deployment)[1] >= 5
    # One that asks /readyz itself must have heard its 503 before the port closes.
    edge = edge_settings(of(name))
    assert (
        edge.drain_delay_seconds
        >= container_of(of(name), "edge")["readinessProbe"]["periodSeconds"]
    )
    assert inference_settings(of(name)).drain_delay_seconds > 0


@pytest.mark.parametrize("name", ["base", *all_but("gpu")])
def test_updates_surge_first_and_take_nobody_away(name: str) -> None:
    for deployment in ("edge", "inference"):
        specification = named(of(name), "Deployment", deployment)["spec"]
        assert specification["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
        }
        assert specification["minReadySeconds"] >= 10  # names and load balancers are behind


def test_on_gpus_an_update_needs_no_spare_one() -> None:
    update = named(of("gpu"), "Deployment", "inference")["spec"]["strategy"]["rollingUpdate"]
    assert update == {"maxUnavailable": 1, "maxSurge": 0}
    # So somebody must be left to answer.
    assert named(of("gpu"), "HorizontalPodAutoscaler", "inference")["spec"]["minReplicas"] >= 2
    edge = named(of("gpu"), "Deployment", "edge")["spec"]["strategy"]["rollingUpdate"]
    assert edge == {"maxUnavailable": 0, "maxSurge": 1}


def test_edges_learn_of_new_inference_servers() -> None:
    # gRPC looks a name up again only when a connection ends.
    assert 0 < inference_settings(base()).max_connection_age_seconds <= 60


def test_why_a_start_was_refused_shows_in_the_description_of_the_pod() -> None:
    for deployment in ("edge", "inference"):
        policy = container_of(base(), deployment)["terminationMessagePolicy"]
        assert policy == "FallbackToLogsOnError"
