"""Pods as the restricted Pod Security Standard has them, and somewhat stricter."""

from __future__ import annotations

import pytest

from tests.unit.deploy.manifests import (
    FULL_OVERLAYS,
    NAMESPACE,
    all_but,
    base,
    container_of,
    named,
    of,
    pod_of,
    workloads,
)

USER = 10001
"""Of the images."""
DEPLOYMENTS = ("edge", "inference")
ENFORCE = "pod-security.kubernetes.io/enforce"
each_full = pytest.mark.parametrize("name", ["base", *FULL_OVERLAYS])


@pytest.mark.parametrize("name", ["base", *all_but("dev")])
def test_the_namespace_refuses_pods_that_ask_for_more(name: str) -> None:
    assert named(of(name), "Namespace", NAMESPACE)["metadata"]["labels"][ENFORCE] == "restricted"


def test_for_development_the_stores_are_let_in() -> None:
    assert named(of("dev"), "Namespace", NAMESPACE)["metadata"]["labels"][ENFORCE] == "baseline"


@each_full
@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_pod_is_a_user_without_rights(name: str, deployment: str) -> None:
    pod = pod_of(named(of(name), "Deployment", deployment))
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container_of(of(name), deployment)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)


@each_full
@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_nothing_can_be_written_but_tmp(name: str, deployment: str) -> None:
    pod = pod_of(named(of(name), "Deployment", deployment))
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in container_of(of(name), deployment)["volumeMounts"]:
        if not mount.get("readOnly"):
            assert mount["mountPath"] == "/tmp"  # noqa: S108  # of the container
            assert volumes[mount["name"]]["emptyDir"]["sizeLimit"]


@each_full
def test_no_pod_gets_a_token_of_the_cluster(name: str) -> None:
    for workload in workloads(of(name)):
        assert pod_of(workload)["automountServiceAccountToken"] is False


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_each_has_an_account_of_its_own_without_a_token(deployment: str) -> None:
    account = pod_of(named(base(), "Deployment", deployment))["serviceAccountName"]
    assert account == deployment
    assert named(base(), "ServiceAccount", account)["automountServiceAccountToken"] is False


@each_full
def test_stores_for_development_are_users_without_rights_too(name: str) -> None:
    for workload in workloads(of(name)):
        assert pod_of(workload)["securityContext"]["runAsNonRoot"] is True
        for container in pod_of(workload)["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_pods_spread_over_nodes_and_start_on_one(deployment: str) -> None:
    pod = pod_of(named(base(), "Deployment", deployment))
    keys = []
    for constraint in pod["topologySpreadConstraints"]:
        keys.append(constraint["topologyKey"])
        # With DoNotSchedule a cluster of one node would never get its second pod.
        assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
        selector = named(base(), "Deployment", deployment)["spec"]["selector"]
        assert constraint["labelSelector"] == selector
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
