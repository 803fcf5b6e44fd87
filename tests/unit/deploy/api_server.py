"""An API server for kubectl: keeps objects, refuses fields that Kubernetes does not know.

As a real one it tells which kinds there are, wants the namespace to be there before what is in it,
and does not create twice. There is nobody behind it: no defaults are filled in, and no pod starts.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from tests.unit.deploy.typed_secret import MAGIC, read_secret

Object = dict[str, Any]
Check = Callable[[Object], list[str]]

KINDS: Mapping[str, Mapping[str, str]] = {
    "v1": {
        "namespaces": "Namespace",
        "secrets": "Secret",
        "configmaps": "ConfigMap",
        "services": "Service",
        "serviceaccounts": "ServiceAccount",
        "persistentvolumeclaims": "PersistentVolumeClaim",
        "pods": "Pod",
    },
    "apps/v1": {"deployments": "Deployment", "statefulsets": "StatefulSet"},
    "batch/v1": {"jobs": "Job"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy", "ingresses": "Ingress"},
    "monitoring.coreos.com/v1": {
        "servicemonitors": "ServiceMonitor",
        "prometheusrules": "PrometheusRule",
    },
}
_NO_SCHEMA = {"monitoring.coreos.com/v1"}
"""Of the Prometheus operator."""
_OBJECT = re.compile(
    r"/apis?/(?P<version>(?:[\w.]+/)?v\d\w*)"
    r"(?:/namespaces/(?P<namespace>[\w-]+)(?=/))?/(?P<resource>[a-z]+)(?:/(?P<name>[\w.-]+))?"
)


class Cluster:
    """What was applied."""

    def __init__(self, check: Check) -> None:
        """check: what Kubernetes has against an object; nothing, if it takes it."""
        self.check = check
        self.objects: dict[str, Object] = {}
        """By path."""
        self.writes: list[str] = []
        """What was asked for that changes something, in order: `POST Namespace image-search`."""

    def kinds(self) -> list[str]:
        """Of all objects, in the order they were created."""
        return [found["kind"] for found in self.objects.values()]


class _Server(ThreadingHTTPServer):
    cluster: Cluster


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _cluster(self) -> Cluster:
        return cast("_Server", self.server).cluster

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Not told: tests tell what went wrong."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        known = _DISCOVERY.get(path)
        found = known if known is not None else self._cluster.objects.get(path)
        if found is None:
            self._refuse(HTTPStatus.NOT_FOUND, "NotFound", f"{path} not found")
        else:
            self._answer(HTTPStatus.OK, found)

    def do_POST(self) -> None:
        sent = self._sent()
        collection = urlsplit(self.path).path
        path = f"{collection}/{sent['metadata']['name']}"
        if path in self._cluster.objects:
            self._refuse(HTTPStatus.CONFLICT, "AlreadyExists", f"{path} already exists")
            return
        self._write(path, sent, HTTPStatus.CREATED)

    def do_PUT(self) -> None:
        self._write(urlsplit(self.path).path, self._sent(), HTTPStatus.OK)

    def do_PATCH(self) -> None:
        path = urlsplit(self.path).path
        patch, there = self._sent(), self._cluster.objects[path]
        if _is_in(patch, there):
            self._answer(HTTPStatus.OK, there)  # as a server that finds nothing to change
        else:
            # How it is merged is Kubernetes' affair: that there was one is what tests look at.
            self._write(path, there, HTTPStatus.OK, patch=patch)

    def _write(
        self, path: str, sent: Object, status: HTTPStatus, patch: Object | None = None
    ) -> None:
        place = _OBJECT.fullmatch(path)
        assert place is not None, path
        namespace = place["namespace"]
        if namespace and f"/api/v1/namespaces/{namespace}" not in self._cluster.objects:
            self._refuse(HTTPStatus.NOT_FOUND, "NotFound", f'namespaces "{namespace}" not found')
            return
        kind = KINDS[place["version"]][place["resource"]]
        sent = {"apiVersion": place["version"], "kind": kind, **sent}
        refused = [] if place["version"] in _NO_SCHEMA else self._cluster.check(sent)
        if refused:
            self._refuse(HTTPStatus.BAD_REQUEST, "BadRequest", "; ".join(refused))
            return
        told = "" if patch is None else f" {json.dumps(patch)}"
        self._cluster.writes.append(f"{self.command} {kind} {place['name']}{told}")
        self._cluster.objects[path] = sent
        self._answer(status, sent)

    def _sent(self) -> Object:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        if sent.startswith(MAGIC):
            return read_secret(sent)
        read = json.loads(sent)
        assert isinstance(read, dict)
        return read

    def _refuse(self, status: HTTPStatus, reason: str, message: str) -> None:
        self._answer(
            status,
            {
                "kind": "Status",
                "apiVersion": "v1",
                "status": "Failure",
                "message": message,
                "reason": reason,
                "code": status.value,
            },
        )

    def _answer(self, status: HTTPStatus, body: Object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _is_in(patch: object, there: object) -> bool:
    """Whether something is so already."""
    if isinstance(patch, dict) and isinstance(there, dict):
        return all(name in there and _is_in(part, there[name]) for name, part in patch.items())
    return patch == there


def _discovery() -> dict[str, Object]:
    """What kubectl asks before anything else: the kinds, and that fields are validated here."""
    groups = [version.rpartition("/")[0] for version in KINDS]
    told: dict[str, Object] = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [
                _group(version) for group, version in zip(groups, KINDS, strict=True) if group
            ],
        },
        "/openapi/v3": {
            "paths": {
                _root(version): {"serverRelativeURL": f"/openapi/v3/{_root(version)}"}
                for version in KINDS
            }
        },
    }
    for version, resources in KINDS.items():
        told[f"/{_root(version)}"] = {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": version,
            "resources": [
                {
                    "name": name,
                    "singularName": kind.lower(),
                    "namespaced": kind != "Namespace",
                    "kind": kind,
                    "verbs": ["create", "get", "patch", "update"],
                }
                for name, kind in resources.items()
            ],
        }
        told[f"/openapi/v3/{_root(version)}"] = _openapi(version, resources)
    return told


def _root(version: str) -> str:
    return f"apis/{version}" if "/" in version else f"api/{version}"


def _group(version: str) -> Object:
    told = {"groupVersion": version, "version": version.rpartition("/")[2]}
    return {"name": version.rpartition("/")[0], "versions": [told], "preferredVersion": told}


def _openapi(version: str, resources: Mapping[str, str]) -> Object:
    group, _, number = version.rpartition("/")
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.37.0"},
        "paths": {
            f"/{_root(version)}/namespaces/{{namespace}}/{name}/{{name}}": {
                "patch": {
                    "parameters": [
                        {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
                    ],
                    "responses": {"200": {"description": "OK"}},
                    "x-kubernetes-group-version-kind": {
                        "group": group,
                        "version": number,
                        "kind": kind,
                    },
                }
            }
            for name, kind in resources.items()
        },
    }


_DISCOVERY = _discovery()


@contextmanager
def api_server(check: Check, kubeconfig: Path) -> Iterator[Cluster]:
    """A cluster on a free port of this machine; `kubeconfig` is written, for kubectl to find it."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.cluster = Cluster(check)
        url = f"http://127.0.0.1:{server.server_address[1]}"
        kubeconfig.write_text(json.dumps(_kubeconfig(url)), encoding="utf-8")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.cluster
        finally:
            server.shutdown()
            thread.join()


def _kubeconfig(url: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "users": [{"name": "test", "user": {}}],
        "current-context": "test",
    }
