"""Edges and inference servers as pods: an address of their own each, probes, and a life in order.

Every address of 127.0.0.0/8 is this machine on Linux, so pods have hosts of their own and share
their ports, as in a cluster.
"""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Mapping
from enum import StrEnum

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.kit.child import Setting
from bench.kit.processes import API_KEY
from bench.kit.world import World
from bench.rollout.manifests import PodSpec, Times
from bench.rollout.process import Process

_SERVICE = "facesearch.inference.v1.InferenceService"
_PROBE_SECONDS = 3.0
_OK = 200


class Role(StrEnum):
    """What a pod does."""

    EDGE = "edge"
    INFERENCE = "inference"


DNS_LAG_SECONDS = 6.0
"""A second of the control plane, and the 5 s for which CoreDNS lets an answer be kept."""


class Pod:
    """One process with an address of its own."""

    def __init__(
        self, role: Role, number: int, host: str, port: int, process: Process, times: Times
    ) -> None:
        self.role = role
        self.name = f"{role}-{number}"
        self.host = host
        self.port = port
        self.process = process
        self.times = times

    @property
    def is_ready(self) -> bool:
        """What its readiness probe says."""
        return self.says_ready() if self.role is Role.EDGE else self._is_serving()

    def says_ready(self) -> bool:
        """An edge's /readyz."""
        return self.readyz()[0] == _OK

    def readyz(self) -> tuple[int, Mapping[str, object]]:
        """Status and body of an edge's /readyz; 0 and nothing if it does not answer."""
        return self._get("/readyz")

    def is_alive(self) -> bool:
        """An edge's liveness probe."""
        return self._get("/livez")[0] == _OK

    def _get(self, path: str) -> tuple[int, Mapping[str, object]]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_PROBE_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            return 0, {}
        finally:
            connection.close()

    def _is_serving(self) -> bool:
        with grpc.insecure_channel(f"{self.host}:{self.port}") as channel:
            try:
                answer = health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(service=_SERVICE), timeout=_PROBE_SECONDS
                )
            except grpc.RpcError:
                return False
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def inference_pod(number: int, port: int, world: World, spec: PodSpec) -> Pod:
    """An inference server, not started."""
    host = f"127.0.1.{number}"
    settings: dict[str, Setting] = {
        **spec.settings,
        "INFERENCE_HOST": host,
        "INFERENCE_PORT": port,
        "INFERENCE_METRICS_PORT": 0,
        "INFERENCE_PACK": world.pack,
        # Compiled networks of the machine: in a pod a volume has them.
        "INFERENCE_CACHE_DIR": "",
        "INFERENCE_LOG_FORMAT": "json",
    }
    process = Process(f"inference-{number}", [sys.executable, "-m", "inference"], world, settings)
    return Pod(Role.INFERENCE, number, host, port, process, spec.times)


def edge_pod(
    number: int,
    port: int,
    world: World,
    spec: PodSpec,
    inference: str,
    storage: Mapping[str, Setting],
) -> Pod:
    """An edge, not started. inference: as it is named to gRPC. storage: the settings of stores."""
    host = f"127.0.2.{number}"
    settings: dict[str, Setting] = {
        **spec.settings,
        "EDGE_HOST": host,
        "EDGE_PORT": port,
        "EDGE_INFERENCE_TARGETS": inference,
        "EDGE_LOG_FORMAT": "json",
        "API_KEY": API_KEY,
        **storage,
    }
    process = Process(f"edge-{number}", [sys.executable, "-m", "edge"], world, settings)
    return Pod(Role.EDGE, number, host, port, process, spec.times)
