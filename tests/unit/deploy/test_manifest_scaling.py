"""How many pods there are, how large they are, and who may take one away."""

from __future__ import annotations

import math

import pytest

from edge.metrics import EdgeMetrics
from edge.middleware.body_limits import FRAMING_BYTES
from edge.settings import EdgeSettings
from inference.metrics import Metrics as InferenceMetrics
from tests.unit.deploy.manifests import (
    FULL_OVERLAYS,
    OVERLAYS,
    Manifest,
    all_but,
    base,
    container_of,
    documents,
    named,
    of,
    of_kind,
    pod_of,
    quantity,
)
from tests.unit.deploy.role_settings import edge_settings, inference_settings

MB = 1_000_000
# bench/results, P6: the highest that was measured, mbf128 on OpenVINO.
EDGE_BYTES = 237 * MB
INFERENCE_BYTES = 569 * MB
"""Of a server with one session in the soak."""
COPIES = 3
"""Of a photo at work in the edge: its bytes, the message to inference, and that as it is sent."""
CPU_SECONDS_A_SEARCH = {"edge": 0.0033, "inference": 0.0130}
SEARCHES_A_SECOND = 100
"""What the reference specification asks of it."""

DEPLOYMENTS = ("edge", "inference")
each_full = pytest.mark.parametrize("name", ["base", *FULL_OVERLAYS])
each_deployment = pytest.mark.parametrize("deployment", DEPLOYMENTS)


def resources(manifests: list[Manifest], deployment: str, kind: str) -> dict[str, float]:
    """Of the container, `requests` or `limits`."""
    told = container_of(manifests, deployment)["resources"][kind]
    return {name: quantity(amount) for name, amount in told.items()}


def scaler(manifests: list[Manifest], deployment: str) -> Manifest:
    """The specification of its autoscaler."""
    specification = named(manifests, "HorizontalPodAutoscaler", deployment)["spec"]
    assert isinstance(specification, dict)
    return specification


def utilisation(manifests: list[Manifest], deployment: str, resource: str) -> float:
    """From which share of what is requested on there are more pods."""
    (target,) = [
        metric["resource"]["target"]
        for metric in scaler(manifests, deployment)["metrics"]
        if metric["type"] == "Resource" and metric["resource"]["name"] == resource
    ]
    assert target["type"] == "Utilization"
    return float(target["averageUtilization"]) / 100


@each_full
@each_deployment
def test_an_autoscaler_scales_what_is_there_and_nobody_else_does(
    name: str, deployment: str
) -> None:
    target = scaler(of(name), deployment)["scaleTargetRef"]
    assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment}
    # `kubectl apply` would set it back, in the middle of the load that it was scaled for.
    assert "replicas" not in named(of(name), "Deployment", deployment)["spec"]


@each_deployment
def test_cpu_and_memory_are_watched(deployment: str) -> None:
    watched = {metric["resource"]["name"] for metric in scaler(base(), deployment)["metrics"]}
    assert watched == {"cpu", "memory"}


@each_full
@each_deployment
def test_what_is_watched_is_requested(name: str, deployment: str) -> None:
    # A share of nothing is no figure: the autoscaler would stand still.
    requested = resources(of(name), deployment, "requests")
    for metric in scaler(of(name), deployment)["metrics"]:
        if metric["type"] == "Resource":
            assert requested[metric["resource"]["name"]] > 0


@each_full
@each_deployment
def test_limits_are_not_below_requests(name: str, deployment: str) -> None:
    requested = resources(of(name), deployment, "requests")
    limits = resources(of(name), deployment, "limits")
    assert set(requested) >= {"cpu", "memory"}
    for resource, amount in requested.items():
        assert limits[resource] >= amount


@pytest.mark.parametrize("name", ["base", *all_but("dev")])
@each_deployment
def test_one_pod_may_go_at_any_time(name: str, deployment: str) -> None:
    assert scaler(of(name), deployment)["minReplicas"] >= 2
    assert scaler(of(name), deployment)["maxReplicas"] > scaler(of(name), deployment)["minReplicas"]
    budget = named(of(name), "PodDisruptionBudget", deployment)["spec"]
    assert budget["maxUnavailable"] == 1
    # While a store is away no edge is ready, and nodes must be drainable all the same.
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@each_full
def test_a_budget_is_for_pods_that_are_there(name: str) -> None:
    for budget in of_kind(of(name), "PodDisruptionBudget"):
        deployment = named(of(name), "Deployment", budget["metadata"]["name"])
        assert budget["spec"]["selector"] == deployment["spec"]["selector"]


@each_deployment
def test_scaling_is_quick_up_and_slow_down(deployment: str) -> None:
    behavior = scaler(base(), deployment)["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300


@pytest.mark.parametrize("name", ["base", "cpu"])
@each_deployment
def test_the_least_there_is_takes_what_the_specification_asks_for(
    name: str, deployment: str
) -> None:
    cores = resources(of(name), deployment, "requests")["cpu"]
    busy = SEARCHES_A_SECOND * CPU_SECONDS_A_SEARCH[deployment]
    pods = math.ceil(busy / (cores * utilisation(of(name), deployment, "cpu")))
    assert pods <= scaler(of(name), deployment)["minReplicas"]


@pytest.mark.parametrize("name", ["base", "cpu"])
@pytest.mark.parametrize(
    ("deployment", "measured"), [("edge", EDGE_BYTES), ("inference", INFERENCE_BYTES)]
)
def test_memory_at_rest_is_no_reason_for_another_pod(
    name: str, deployment: str, measured: int
) -> None:
    requested = resources(of(name), deployment, "requests")["memory"]
    assert measured < requested * utilisation(of(name), deployment, "memory")


@each_full
def test_the_edge_is_not_killed_for_taking_as_many_photos_as_it_may(name: str) -> None:
    settings = edge_settings(of(name))
    body = settings.max_enrol_bytes + settings.max_field_bytes + FRAMING_BYTES
    receiving = (settings.max_in_flight + 1) * body  # edge/middleware/in_flight.py
    at_work = settings.max_in_flight * settings.max_enrol_bytes * COPIES
    assert EDGE_BYTES + receiving + at_work <= resources(of(name), "edge", "limits")["memory"]


@each_full
def test_inference_is_not_killed_for_a_full_queue(name: str) -> None:
    settings = inference_settings(of(name))
    full = INFERENCE_BYTES + settings.queue_bytes + settings.decoded_bytes
    # And messages that gRPC is still receiving, one of the largest photos from each edge.
    edges = scaler(of(name), "edge")["minReplicas"]
    full += edges * EdgeSettings().max_enrol_bytes
    assert full <= resources(of(name), "inference", "limits")["memory"]


@pytest.mark.parametrize("name", all_but("gpu"))
def test_a_session_has_a_core(name: str) -> None:
    # Left to itself the server counts the cores of the node, whatever its limit is.
    limit = resources(of(name), "inference", "limits")["cpu"]
    assert inference_settings(of(name)).session_count <= limit


def test_on_a_gpu_there_is_one_whole_gpu_a_server() -> None:
    container = container_of(of("gpu"), "inference")
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert "/facesearch-inference-gpu:" in container["image"]
    assert inference_settings(of("gpu")).device == "cuda:0"
    cores = resources(of("gpu"), "inference", "requests")["cpu"]
    assert inference_settings(of("gpu")).pixel_thread_count <= cores
    (toleration,) = pod_of(named(of("gpu"), "Deployment", "inference"))["tolerations"]
    assert toleration["key"] == "nvidia.com/gpu"
    assert "/facesearch-edge:" in container_of(of("gpu"), "edge")["image"]


def test_on_cpus_inference_may_have_cores_of_its_own() -> None:
    # The static policy of a kubelet gives them to pods whose requests equal their limits.
    requests = resources(of("cpu"), "inference", "requests")
    assert requests == resources(of("cpu"), "inference", "limits")
    assert requests["cpu"] == inference_settings(of("cpu")).session_count


def test_requests_in_flight_are_figures_that_the_processes_show() -> None:
    shown = {
        family.name
        for registry in (EdgeMetrics().registry, InferenceMetrics().registry)
        for family in registry.collect()
    }
    (adapter,) = documents(OVERLAYS / "requests-hpa/prometheus-adapter.yaml")
    (rule,) = adapter["rules"]["custom"]
    for deployment, least, most in (
        # More than a pod has at 100 searches a second, and fewer than it takes.
        ("edge", SEARCHES_A_SECOND * 0.022, edge_settings(base()).max_in_flight),
        ("inference", inference_settings(base()).session_count, 8),
    ):
        (metric,) = scaler(of("requests-hpa"), deployment)["metrics"]
        assert metric["type"] == "Pods"
        name = metric["pods"]["metric"]["name"]
        assert name in shown
        assert name in rule["seriesQuery"]
        assert least < float(metric["pods"]["target"]["averageValue"]) < most
