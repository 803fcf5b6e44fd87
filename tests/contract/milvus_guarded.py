"""What a Milvus cluster has and `milvus-lite server` lacks, before Lite's engine: a token, TLS, and
the rule that a search of an isolated collection names one partition key.

A process of its own: `python -m tests.contract.milvus_guarded --data-dir DIR --port PORT …`. The
answers are those of Milvus (internal/proxy/authentication_interceptor.go and
internal/util/exprutil/expr_checker.go of milvus-io/milvus).
"""

from __future__ import annotations

import argparse
import base64
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from milvus_lite.adapter.grpc.servicer import MilvusServicer
from milvus_lite.db import MilvusLite
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc

_REFUSED = "auth check failure, please check username and password are correct"
_MAX_MESSAGE = 256 * 1024 * 1024


class TokenGuard(grpc.ServerInterceptor):
    """Lets in who sends the token."""

    def __init__(self, token: str) -> None:
        self._expected = base64.b64encode(token.encode()).decode()
        self._refusal: Any = grpc.unary_unary_rpc_method_handler(_refuse)

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        sent = dict(details.invocation_metadata).get("authorization")
        return continuation(details) if sent == self._expected else self._refusal


def _refuse(_request: Any, context: Any) -> None:
    context.abort(grpc.StatusCode.UNAUTHENTICATED, _REFUSED)


class GuardedServicer(MilvusServicer):  # type: ignore[misc]  # milvus_lite has no types
    """Lite's, with Milvus' rule for collections that are isolated, and a single query node."""

    def Search(self, request: Any, context: Any) -> Any:  # noqa: N802  # the contract's name
        properties = self._get_collection(request, context).schema.properties
        reason = _not_isolated(request.dsl)
        if str(properties.get("partitionkey.isolation")).lower() == "true" and reason:
            return milvus_pb2.SearchResults(status=common_pb2.Status(code=1100, reason=reason))
        return super().Search(request, context)

    def LoadCollection(self, request: Any, context: Any) -> Any:  # noqa: N802  # as above
        if request.replica_number > 1:
            return common_pb2.Status(code=302, reason="resource group node not enough: 1 node")
        return super().LoadCollection(request, context)


def _not_isolated(expression: str) -> str:
    """Why Milvus refuses the filter; "": it takes it. For the filters that we can send."""
    if "collection_id in [" in expression:
        return "partition key isolation does not support IN"
    if "not (collection_id" in expression:
        return "partition key isolation does not support NOT"
    if "collection_id == " not in expression:
        return "partition key not found in expr or the expr is invalid"
    return ""


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--data-dir", required=True)
    arguments.add_argument("--port", required=True)
    arguments.add_argument("--token", default="")
    arguments.add_argument("--certificate", type=Path)
    arguments.add_argument("--key", type=Path)
    arguments.add_argument("--client-ca", type=Path)
    told = arguments.parse_args()

    guards: list[grpc.ServerInterceptor] = [TokenGuard(told.token)] if told.token else []
    server = grpc.server(
        futures.ThreadPoolExecutor(10),
        interceptors=guards,
        options=[("grpc.max_receive_message_length", _MAX_MESSAGE)],
    )
    milvus_pb2_grpc.add_MilvusServiceServicer_to_server(
        GuardedServicer(MilvusLite(told.data_dir)), server
    )
    address = f"127.0.0.1:{told.port}"
    if told.certificate is None:
        server.add_insecure_port(address)
    else:
        client_ca = None if told.client_ca is None else told.client_ca.read_bytes()
        shown = [(told.key.read_bytes(), told.certificate.read_bytes())]
        server.add_secure_port(
            address,
            grpc.ssl_server_credentials(
                shown, root_certificates=client_ca, require_client_auth=client_ca is not None
            ),
        )
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
