"""compose.yaml fits the images, the settings and itself. That it runs needs an engine."""

from __future__ import annotations

import re
from typing import Any

import pytest

from edge import __version__
from tests.conftest import ROOT
from tests.unit.deploy.monitoring import read_yaml
from tests.unit.deploy.test_dockerfiles import SETTINGS, dockerfile

FOLDER = ROOT / "deploy/docker"
OURS = {"edge": "edge", "inference": "inference"}
OURS_PREFIX = re.compile(r"(API_KEY$|EDGE_|INFERENCE_|STORAGE_)")
REQUIRED = re.compile(r"\$\{(\w+):\?[^}]+\}")
OPTIONAL = re.compile(r"\$\{(\w+):-[^}]+\}")
SECRET = re.compile(r"KEY|PASSWORD|TOKEN|SECRET")
PINNED = re.compile(r"[\w./-]+:[\w.-]*\d[\w.-]*(@sha256:[0-9a-f]{64})?")

Service = dict[str, Any]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    read = read_yaml(FOLDER / "compose.yaml")
    assert isinstance(read, dict)
    return read


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Service]:
    found = compose["services"]
    assert isinstance(found, dict)
    return found


def targets_of(text: str) -> set[tuple[str, int]]:
    """host:port of every address in a value."""
    return {(host, int(port)) for host, port in re.findall(r"(?:^|@|//)([a-z]+):(\d+)", text)}


def test_the_whole_thing_is_there(services: dict[str, Service]) -> None:
    named = {"edge", "inference", "milvus", "postgres", "minio", "prometheus", "grafana"}
    assert named <= set(services)


def test_every_image_is_pinned_and_ours_are_of_this_version(services: dict[str, Service]) -> None:
    for name, service in services.items():
        assert PINNED.fullmatch(service["image"]), name
    for name in OURS:
        assert services[name]["image"] == f"ghcr.io/facesearch/facesearch-{name}:{__version__}"
        assert (FOLDER / services[name]["build"]["context"]).resolve() == ROOT
        assert (ROOT / services[name]["build"]["dockerfile"]).is_file()


def test_every_variable_of_ours_is_a_setting(services: dict[str, Service]) -> None:
    for name in OURS:
        for variable in services[name].get("environment", {}):
            assert OURS_PREFIX.match(variable), variable
            assert variable in SETTINGS, variable


def test_a_secret_has_no_default_and_says_where_to_look(services: dict[str, Service]) -> None:
    guide = (ROOT / "docs/docker.md").read_text("utf-8")
    needed: set[str] = set()
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            required, optional = REQUIRED.findall(str(value)), OPTIONAL.findall(str(value))
            needed |= set(required)
            if SECRET.search(variable) and not variable.endswith(("ACCESS_KEY", "ACCESS_KEY_ID")):
                assert required, f"{name}: {variable}"
            assert not [one for one in optional if SECRET.search(one)], f"{name}: {variable}"
            for message in re.findall(r":\?([^}]+)\}", str(value)):
                assert "docs/docker.md" in message
    (written,) = re.findall(r"^for name in (.+); do$", guide, re.MULTILINE)
    assert set(written.split()) == needed, "the guide's command writes what is needed"


def test_addresses_lead_to_services_on_a_network_that_both_are_on(
    services: dict[str, Service],
) -> None:
    listening = {
        ("inference", 50051),
        ("milvus", 19530),
        ("postgres", 5432),
        ("minio", 9000),
        ("etcd", 2379),
        ("prometheus", 9090),
    }
    for name, service in services.items():
        for value in service.get("environment", {}).values():
            # Passwords come in between user and host.
            for host, port in targets_of(re.sub(r"\$\{[^}]*\}", "", str(value))):
                assert (host, port) in listening, f"{name}: {value}"
                assert set(service["networks"]) & set(services[host]["networks"]), name


def test_stores_are_reached_by_nobody_outside(
    compose: dict[str, Any], services: dict[str, Service]
) -> None:
    assert compose["networks"]["back"]["internal"] is True
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"edge", "prometheus", "grafana"}
    for ports in published.values():
        for port in ports:
            assert port.startswith("127.0.0.1:"), "nothing here speaks TLS"
    for name in ("inference", "milvus", "etcd", "minio", "postgres"):
        assert services[name]["networks"] == ["back"]


def test_services_are_hardened(services: dict[str, Service]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        # Milvus writes beside its own files.
        assert service.get("read_only", False) is (name != "milvus"), name
        assert "privileged" not in service


def test_whoever_waits_for_health_waits_for_one_that_has_a_check(
    services: dict[str, Service],
) -> None:
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[other] or other in OURS, f"{name}: {other}"


def test_what_is_kept_is_in_a_volume_with_a_name(
    compose: dict[str, Any], services: dict[str, Service]
) -> None:
    used = {
        volume.split(":")[0]
        for service in services.values()
        for volume in service.get("volumes", [])
        if not volume.startswith(".")
    }
    assert used == set(compose["volumes"])
    for service in services.values():
        for volume in service.get("volumes", []):
            if volume.startswith("."):
                source, _, mode = volume.split(":")
                assert (FOLDER / source).exists(), source
                assert mode == "ro"


def test_services_have_time_to_finish(services: dict[str, Service]) -> None:
    for name, setting in (
        ("edge", "EDGE_MAX_TIMEOUT_SECONDS"),
        ("inference", "INFERENCE_DRAIN_TIMEOUT_SECONDS"),
    ):
        grace = int(services[name]["stop_grace_period"].removesuffix("s"))
        assert grace >= float(SETTINGS[setting]) + 5


def test_prometheus_asks_what_the_services_serve_under_the_jobs_that_the_rules_know() -> None:
    ours, example = (
        read_yaml(path)
        for path in (FOLDER / "prometheus.yml", ROOT / "deploy/prometheus/prometheus.yml")
    )
    assert ours["rule_files"] == example["rule_files"]
    assert ours["global"] == example["global"]
    jobs = {job["job_name"]: job["dns_sd_configs"][0] for job in ours["scrape_configs"]}
    assert set(jobs) == {job["job_name"] for job in example["scrape_configs"]}
    assert jobs["facesearch-edge"]["names"] == ["edge"]
    assert str(jobs["facesearch-edge"]["port"]) == SETTINGS["EDGE_PORT"]
    assert jobs["facesearch-inference"]["names"] == ["inference"]
    assert str(jobs["facesearch-inference"]["port"]) == SETTINGS["INFERENCE_METRICS_PORT"]


def test_the_gpu_overlay_changes_inference_alone() -> None:
    overlay = read_yaml(FOLDER / "compose.gpu.yaml")["services"]
    assert set(overlay) == {"inference"}
    tag = f"ghcr.io/facesearch/facesearch-inference-gpu:{__version__}"
    assert overlay["inference"]["image"] == tag
    assert dockerfile("inference-gpu").stages
    (device,) = overlay["inference"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
