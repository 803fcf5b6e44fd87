"""The overlays: what each is for, and that none drifts from what it is made of."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.unit.deploy.manifests import (
    FULL_OVERLAYS,
    OVERLAYS,
    SECRET,
    Manifest,
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
DOCKER = ROOT / "deploy/docker"


def test_kustomize_makes_of_the_base_what_is_in_its_files() -> None:
    def by_name(manifests: list[Manifest]) -> list[Manifest]:
        return sorted(manifests, key=lambda entry: (entry["kind"], entry["metadata"]["name"]))

    assert by_name(overlay("../k8s")) == by_name(base())


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


def test_for_development_the_bucket_is_made() -> None:
    secret = secret_of(overlay("dev"))
    bucket = secret["STORAGE_PHOTOS_URL"].removeprefix("s3://").split("/")[0]
    job = named(overlay("dev"), "Job", "bucket")
    (container,) = pod_of(job)["containers"]
    assert container["command"] == ["mc", "mb", "--ignore-existing", f"store/{bucket}"]
    store = {entry["name"]: entry["value"] for entry in container["env"]}["MC_HOST_store"]
    user, password = secret["STORAGE_PHOTOS_ACCESS_KEY"], secret["STORAGE_PHOTOS_SECRET_KEY"]
    assert store == secret["STORAGE_PHOTOS_ENDPOINT"].replace("//", f"//{user}:{password}@")
    # Else it could not be applied again once it has changed.
    assert job["spec"]["ttlSecondsAfterFinished"] <= 60


def test_the_stores_are_those_of_compose() -> None:
    if not DOCKER.exists():
        pytest.skip("no deploy/docker here")
    services = read_yaml(DOCKER / "compose.yaml")["services"].values()
    composed = {service["image"] for service in services if "image" in service}
    ours = [
        container["image"]
        for workload in workloads(overlay("dev"))
        for container in pod_of(workload)["containers"]
    ]
    assert set(ours) <= composed


@pytest.mark.parametrize("name", ["edge", "inference", "inference-gpu"])
def test_containers_run_what_their_images_run_as_whom_they_run_it(name: str) -> None:
    if not DOCKER.exists():
        pytest.skip("no deploy/docker here")
    said = (DOCKER / f"{name}.Dockerfile").read_text(encoding="utf-8")
    manifests = of("gpu" if name == "inference-gpu" else "base")
    deployment = name.removesuffix("-gpu")
    command = json.dumps(container_of(manifests, deployment)["command"])
    assert f"\nENTRYPOINT {command}\n" in said
    context = pod_of(named(manifests, "Deployment", deployment))["securityContext"]
    assert f"\nUSER {context['runAsUser']}:{context['runAsGroup']}\n" in said


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
