"""The environment of the containers: all variables are settings, and all needed are there."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

import pytest

from edge.errors import StartRefused
from edge.replicated import CREATE_SECRET, check_key, check_stores
from edge.settings import EdgeSettings
from edge.settings import load_settings as load_edge_settings
from inference.errors import StartError
from inference.settings import load_settings as load_inference_settings
from storage.settings import load_settings as load_storage_settings
from tests.unit.deploy.manifests import (
    FULL_OVERLAYS,
    NAMESPACE,
    SECRET,
    base,
    container_of,
    environment,
    named,
    of,
    pod_of,
    secret_example,
    secret_of,
    workloads,
)
from tests.unit.docs.configuration_page import ROLES, settings_of

OUR_PREFIXES = ("EDGE_", "STORAGE_", "INFERENCE_", "API_KEY")
POSTGRES_CONNECTIONS = 100 - 3
"""PostgreSQL's default, less what it keeps for administrators."""
each_full = pytest.mark.parametrize("name", ["base", *FULL_OVERLAYS])


def put(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    """Be the process that has these variables, and none of ours beside them."""
    for variable in list(os.environ):
        if variable.upper().startswith(OUR_PREFIXES):
            monkeypatch.delenv(variable)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)


def all_settings() -> set[str]:
    return {variable for _, _, kind in ROLES for variable, _, _ in settings_of(kind)}


@each_full
def test_every_variable_is_a_setting(name: str) -> None:
    for deployment in ("edge", "inference"):
        variables = environment(of(name), deployment, secret_of(of(name)))
        assert set(variables) <= all_settings(), deployment


def test_every_variable_of_the_secret_is_a_setting_and_a_secret_or_an_address() -> None:
    held = secret_example()
    assert set(held) <= all_settings()
    secrets = {
        variable
        for _, _, kind in ROLES
        for (variable, _, _), field in zip(
            settings_of(kind), kind.model_fields.values(), strict=True
        )
        if "SecretStr" in str(field.annotation)
    }
    assert secrets <= set(held)
    assert {name for name in held if name.endswith("_URL")} == {
        "STORAGE_RECORDS_URL",
        "STORAGE_VECTORS_URL",
        "STORAGE_PHOTOS_URL",
    }


@each_full
def test_the_edge_takes_its_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, environment(of(name), "edge", secret_of(of(name))))
    settings, storage = load_edge_settings(), load_storage_settings()
    check_key(settings, {})
    check_stores(settings, storage, {})
    assert storage.only_one_process is None
    assert not storage.needs_data_dir  # the root file system is read-only


@each_full
def test_inference_takes_its_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, environment(of(name), "inference", {}))
    settings = load_inference_settings()
    assert settings.host == settings.metrics_host == "0.0.0.0"  # noqa: S104  # in its pod
    assert settings.is_gpu is (name == "gpu")


def test_inference_is_given_no_secret() -> None:
    sources = container_of(base(), "inference")["envFrom"]
    assert [list(source) for source in sources] == [["configMapRef"]]


@each_full
def test_the_edge_asks_all_servers_behind_the_headless_service(name: str) -> None:
    target = environment(of(name), "edge", {})["EDGE_INFERENCE_TARGETS"]
    service = named(of(name), "Service", "inference")
    assert service["spec"]["clusterIP"] == "None"
    port = environment(of(name), "inference", {})["INFERENCE_PORT"]
    assert target == f"dns:///{service['metadata']['name']}:{port}"


def test_without_the_secret_the_edge_refuses_and_says_which_line_creates_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(monkeypatch, environment(base(), "edge", {}))
    with pytest.raises(StartRefused) as caught:
        check_key(load_edge_settings(), {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert CREATE_SECRET in str(caught.value)
    assert f"-n {NAMESPACE} " in CREATE_SECRET
    assert f"generic {SECRET} " in CREATE_SECRET
    (_, source) = container_of(base(), "edge")["envFrom"]
    # Else the container would not start, and could say nothing.
    assert source["secretRef"] == {"name": SECRET, "optional": True}


@pytest.mark.parametrize(
    ("variable", "service", "load"),
    [
        ("EDGE_PORT", "edge", load_edge_settings),
        ("INFERENCE_PORT", "inference", load_inference_settings),
    ],
)
def test_a_service_link_would_stop_the_start_so_there_is_none(
    variable: str, service: str, load: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What Kubernetes sets for a Service of this name in each container of the namespace.
    assert variable == f"{service.upper()}_PORT"
    put(monkeypatch, {variable: "tcp://10.0.0.2:8000"})
    with pytest.raises((StartRefused, StartError), match=variable):
        load()
    for name in ("base", *FULL_OVERLAYS):
        for workload in workloads(of(name)):
            assert pod_of(workload)["enableServiceLinks"] is False


@each_full
def test_all_edges_there_can_be_leave_postgresql_connections(name: str) -> None:
    manifests = of(name)
    settings = EdgeSettings()
    assert isinstance(settings.workers, int)
    connections = int(environment(manifests, "edge", {})["STORAGE_RECORDS_CONNECTIONS"])
    most = named(manifests, "HorizontalPodAutoscaler", "edge")["spec"]["maxReplicas"]
    surge = named(manifests, "Deployment", "edge")["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    assert (most + surge) * settings.workers * connections < POSTGRES_CONNECTIONS
