"""Who reaches whom: services, the ingress, and policies that allow what is used and no more."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from edge.app import create_app
from edge.backend import Backend
from edge.middleware.keys import OPEN_PATHS
from edge.settings import EdgeSettings
from storage.settings import StorageSettings
from tests.unit.deploy.manifests import (
    FULL_OVERLAYS,
    Manifest,
    base,
    container_of,
    labels_of,
    named,
    of,
    of_kind,
    port_of,
    secret_of,
    selects,
    workloads,
)
from tests.unit.deploy.role_settings import edge_settings, inference_settings

DNS = {("UDP", 53), ("TCP", 53)}
INTERNAL = {"/", "/livez", "/readyz", "/metrics"}
"""For the cluster's own machines."""
DEFAULT_PORTS = {"postgresql": 5432, "http": 80, "https": 443}
each_full = pytest.mark.parametrize("name", ["base", *FULL_OVERLAYS])


def ports(rule: Manifest) -> set[tuple[str, int]]:
    """What a rule of a policy opens."""
    return {(port["protocol"], port["port"]) for port in rule["ports"]}


def policy(manifests: list[Manifest], name: str) -> dict[str, Any]:
    specification = named(manifests, "NetworkPolicy", name)["spec"]
    assert isinstance(specification, dict)
    return specification


def port_of_url(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or DEFAULT_PORTS[parts.scheme]


@each_full
def test_services_select_the_pods_of_their_name(name: str) -> None:
    for service in of_kind(of(name), "Service"):
        selected = [
            workload["metadata"]["name"]
            for workload in workloads(of(name))
            if service["spec"]["selector"].items() <= labels_of(workload).items()
        ]
        assert selected == [service["metadata"]["name"]]


@each_full
def test_workloads_select_their_own_pods(name: str) -> None:
    for workload in of_kind(of(name), "Deployment", "StatefulSet"):
        taken = [
            other["metadata"]["name"]
            for other in workloads(of(name))
            if selects(workload["spec"]["selector"], labels_of(other))
        ]
        assert taken == [workload["metadata"]["name"]]


def test_services_lead_to_ports_of_the_containers() -> None:
    for name in ("edge", "inference"):
        container = container_of(base(), name)
        service = named(base(), "Service", name)["spec"]
        for port in service["ports"]:
            number = port_of(container, port["targetPort"])
            if service.get("clusterIP") == "None":
                # Whoever asks the name gets addresses of pods: nothing translates the port.
                assert port["port"] == number


def test_only_the_ingress_is_reachable_from_outside() -> None:
    for service in of_kind(base(), "Service"):
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"


def test_the_ingress_leads_to_the_edge_by_tls() -> None:
    ingress = named(base(), "Ingress", "edge")["spec"]
    (rule,) = ingress["rules"]
    (tls,) = ingress["tls"]
    assert tls["hosts"] == [rule["host"]]
    service = named(base(), "Service", "edge")
    for path in rule["http"]["paths"]:
        assert path["backend"]["service"]["name"] == service["metadata"]["name"]
        assert path["backend"]["service"]["port"]["name"] in {
            port["name"] for port in service["spec"]["ports"]
        }


def test_the_ingress_leads_everything_that_callers_need_and_nothing_internal() -> None:
    app = create_app(EdgeSettings(api_key=SecretStr("k")), Backend())
    served = {getattr(route, "path", "") for route in app.routes}
    assert served >= INTERNAL | OPEN_PATHS
    # As an ingress sees it: "/photos" takes "/photos" and "/photos/…".
    wanted = {"/" + path.split("/")[1] for path in served - INTERNAL}
    (rule,) = named(base(), "Ingress", "edge")["spec"]["rules"]
    paths = rule["http"]["paths"]
    assert {path["pathType"] for path in paths} == {"Prefix"}
    assert sorted(path["path"] for path in paths) == sorted(wanted)


def test_the_ingress_lets_the_largest_photo_and_the_longest_answer_through() -> None:
    settings = edge_settings(base())
    told = named(base(), "Ingress", "edge")["metadata"]["annotations"]
    body = settings.max_enrol_bytes + settings.max_field_bytes
    for annotation in (
        "nginx.ingress.kubernetes.io/proxy-body-size",
        "nginx.org/client-max-body-size",
    ):
        assert int(told[annotation].removesuffix("m")) * 1024 * 1024 > body
    for annotation in (
        "nginx.ingress.kubernetes.io/proxy-read-timeout",
        "nginx.org/proxy-read-timeout",
    ):
        assert int(told[annotation].removesuffix("s")) > settings.max_timeout_seconds


@each_full
def test_every_pod_is_shut_in_by_a_policy_in_both_directions(name: str) -> None:
    for workload in workloads(of(name)):
        (found,) = [
            found["spec"]
            for found in of_kind(of(name), "NetworkPolicy")
            if selects(found["spec"]["podSelector"], labels_of(workload))
        ]
        assert set(found["policyTypes"]) == {"Ingress", "Egress"}


def test_policies_select_our_pods_only() -> None:
    # An empty selector would shut in what cert-manager starts beside them.
    for found in of_kind(base(), "NetworkPolicy"):
        assert found["spec"]["podSelector"]["matchLabels"]


def test_the_edge_is_asked_on_its_port_alone() -> None:
    (rule,) = policy(base(), "edge")["ingress"]
    assert ports(rule) == {("TCP", edge_settings(base()).port)}


@each_full
def test_the_edge_reaches_names_inference_and_its_stores_and_nothing_else(name: str) -> None:
    names, inference, stores = policy(of(name), "edge")["egress"]
    assert ports(names) == DNS
    assert "to" not in names  # a resolver on the node is no pod
    (peer,) = inference["to"]
    assert selects(peer["podSelector"], labels_of(named(of(name), "Deployment", "inference")))
    assert not selects(peer["podSelector"], labels_of(named(of(name), "Deployment", "edge")))
    assert ports(inference) == {("TCP", inference_settings(of(name)).port)}
    secret = secret_of(of(name))
    storage = StorageSettings.model_validate(
        {
            "records_url": secret["STORAGE_RECORDS_URL"],
            "vectors_url": secret["STORAGE_VECTORS_URL"],
            "photos_url": secret["STORAGE_PHOTOS_URL"],
            "photos_endpoint": secret["STORAGE_PHOTOS_ENDPOINT"],
        }
    )
    used = {
        ("TCP", port_of_url(url))
        for url in (storage.records_url, storage.vectors_url, storage.photos_endpoint)
    }
    # 443 is the bucket's wherever it is not one's own.
    assert ports(stores) == used | {("TCP", 443)}


def test_inference_is_asked_by_the_edge_and_by_prometheus_and_calls_nobody() -> None:
    calls, figures = policy(base(), "inference")["ingress"]
    (peer,) = calls["from"]
    assert selects(peer["podSelector"], labels_of(named(base(), "Deployment", "edge")))
    assert not selects(peer["podSelector"], labels_of(named(base(), "Deployment", "inference")))
    assert ports(calls) == {("TCP", inference_settings(base()).port)}
    assert ports(figures) == {("TCP", inference_settings(base()).metrics_port)}
    assert "namespaceSelector" in figures["from"][0]
    assert policy(base(), "inference")["egress"] == []


def test_stores_for_development_are_asked_by_the_namespace_alone() -> None:
    (rule,) = policy(of("dev"), "stores")["ingress"]
    assert rule == {"from": [{"podSelector": {}}]}
