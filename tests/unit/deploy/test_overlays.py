"""The overlays: what each is for, and that none drifts from what it is made of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.unit.deploy.manifests import (
    FULL_OVERLAYS,
    OVERLAYS,
    SECRET,
    base,
    container_of,
    documents,
    environment,
    named,
    of,
    of_kind,
    overlay,
    pod_of,
    secret_of,
    workloads,
)
from tests.unit.deploy.monitoring import EXAMPLE, read_yaml, rules
from tests.unit.deploy.prometheus_rule import RULE, prometheus_rule, text

STORES = ("etcd", "milvus", "minio", "postgresql")
COMPOSE = ROOT / "deploy/docker/compose.yaml"


def test_every_overlay_is_tested() -> None:
    folders = sorted(folder.name for folder in OVERLAYS.iterdir())
    assert folders == sorted([*FULL_OVERLAYS, "monitoring"])


@pytest.mark.parametrize("name", FULL_OVERLAYS)
def test_an_overlay_leaves_out_nothing_but_the_ingress_for_development(name: str) -> None:
    there = {(entry["kind"], entry["metadata"]["name"]) for entry in overlay(name)}
    missing = {(entry["kind"], entry["metadata"]["name"]) for entry in base()} - there
    assert missing == ({("Ingress", "edge")} if name == "dev" else set())


@pytest.mark.parametrize("file", sorted(OVERLAYS.rglob("*.yaml")), ids=lambda file: file.name)
def test_every_file_of_an_overlay_is_used(file: Path) -> None:
    if file.name == "kustomization.yaml":
        return
    said = [*file.parent.glob("kustomization.yaml"), ROOT / "docs/deploy.md"]
    assert any(file.name in place.read_text(encoding="utf-8") for place in said)


def test_for_development_there_is_everything_and_a_secret() -> None:
    names = [entry["metadata"]["name"] for entry in of_kind(overlay("dev"), "StatefulSet")]
    assert sorted(names) == list(STORES)
    (secret,) = of_kind(overlay("dev"), "Secret")
    assert secret["metadata"]["name"].startswith(SECRET)
    (_, source) = container_of(overlay("dev"), "edge")["envFrom"]
    assert source["secretRef"]["name"] == secret["metadata"]["name"]


def test_for_development_stores_and_edge_know_the_same_passwords() -> None:
    def variables(store: str) -> dict[str, str]:
        (container,) = pod_of(named(overlay("dev"), "StatefulSet", store))["containers"]
        return {entry["name"]: entry["value"] for entry in container["env"]}

    secret = secret_of(overlay("dev"))
    database = variables("postgresql")
    user, password, name = (database[f"POSTGRES_{part}"] for part in ("USER", "PASSWORD", "DB"))
    assert secret["STORAGE_RECORDS_URL"] == f"postgresql://{user}:{password}@postgresql:5432/{name}"
    bucket, milvus = variables("minio"), variables("milvus")
    for key, store, ours in (
        ("MINIO_ROOT_USER", "MINIO_ACCESS_KEY_ID", "STORAGE_PHOTOS_ACCESS_KEY"),
        ("MINIO_ROOT_PASSWORD", "MINIO_SECRET_ACCESS_KEY", "STORAGE_PHOTOS_SECRET_KEY"),
    ):
        assert bucket[key] == milvus[store] == secret[ours]


def test_for_development_the_addresses_are_services_that_are_there() -> None:
    secret = secret_of(overlay("dev"))
    addresses = " ".join(secret[name] for name in secret if name.endswith(("_URL", "_ENDPOINT")))
    (container,) = pod_of(named(overlay("dev"), "StatefulSet", "milvus"))["containers"]
    addresses += " " + " ".join(entry["value"] for entry in container["env"])
    for host, port in re.findall(r"(?:@|//|\s)([a-z]+):(\d+)", addresses):
        service = named(overlay("dev"), "Service", host)
        assert [entry["port"] for entry in service["spec"]["ports"]] == [int(port)]
    assert {host for host, _ in re.findall(r"(?:@|//|\s)([a-z]+):(\d+)", addresses)} == set(STORES)


def test_for_development_the_bucket_is_made_before_the_edge_asks_for_it() -> None:
    bucket = secret_of(overlay("dev"))["STORAGE_PHOTOS_URL"].removeprefix("s3://").split("/")[0]
    (container,) = pod_of(named(overlay("dev"), "StatefulSet", "minio"))["containers"]
    assert f"mkdir -p /data/{bucket} " in container["command"][-1]


def test_the_stores_are_those_of_compose() -> None:
    if not COMPOSE.exists():
        pytest.skip("no compose.yaml here")
    composed = {
        service["image"].rpartition(":")[0]: service["image"]
        for service in read_yaml(COMPOSE)["services"].values()
        if "image" in service
    }
    ours = [
        container["image"]
        for workload in workloads(overlay("dev"))
        for container in pod_of(workload)["containers"]
        if workload["kind"] == "StatefulSet"
    ]
    for image in ours:
        assert composed.get(image.rpartition(":")[0], image) == image


def test_the_example_brings_a_pack_and_a_name_of_its_own() -> None:
    variables = environment(overlay("example"), "inference", {})
    mounts = container_of(overlay("example"), "inference")["volumeMounts"]
    (packs,) = [mount for mount in mounts if mount["name"] == "packs"]
    assert packs == {"name": "packs", "mountPath": "/packs", "readOnly": True}
    assert variables["INFERENCE_MODELS_DIR"] == packs["mountPath"]
    ingress = named(overlay("example"), "Ingress", "edge")["spec"]
    assert ingress["rules"][0]["host"] == ingress["tls"][0]["hosts"][0] == "photos.example.org"
    for name in ("edge", "inference"):
        image = container_of(overlay("example"), name)["image"]
        assert image.startswith(f"registry.example.org/facesearch-{name}:")


# The Prometheus operator


def test_the_rules_of_the_operator_are_those_of_prometheus() -> None:
    assert RULE.read_text(encoding="utf-8") == text(), "run: make docs"
    (written,) = documents(RULE)
    assert written == prometheus_rule()
    count = sum(len(group["rules"]) for group in written["spec"]["groups"])
    assert count == len(rules())


def test_jobs_are_called_as_the_rules_know_them() -> None:
    known = {job["job_name"] for job in read_yaml(EXAMPLE)["scrape_configs"]}
    monitors = of_kind(overlay("monitoring"), "ServiceMonitor")
    called = {
        relabeling["replacement"]
        for monitor in monitors
        for endpoint in monitor["spec"]["endpoints"]
        for relabeling in endpoint["relabelings"]
        if relabeling["targetLabel"] == "job"
    }
    assert called == known


def test_monitors_find_services_and_their_ports() -> None:
    for monitor in of_kind(overlay("monitoring"), "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        (service,) = [
            service
            for service in of_kind(of("base"), "Service")
            if wanted.items() <= service["metadata"]["labels"].items()
        ]
        assert monitor["metadata"]["namespace"] == service["metadata"]["namespace"]
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert endpoint["path"] == "/metrics"
