"""Who calls: settled before a byte of the body is read."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from edge.backend import Backend
from edge.errors import Unauthorized
from edge.facts import facts_of

HEADER = "X-Api-Key"
# What answers without a key. Routed forms, as RawPath leaves them.
OPEN_PATHS = frozenset({"/", "/ping", "/livez", "/readyz", "/metrics", "/docs", "/openapi.json"})


class Keys:
    """Notes the caller in the facts; Unauthorized without one. Raises RecordsUnavailable."""

    def __init__(self, app: ASGIApp, backend: Backend) -> None:
        self._app = app
        self._backend = backend

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            sent = Headers(scope=scope).getlist(HEADER)
            if len(sent) != 1 or not sent[0]:
                raise Unauthorized(f"send one key in the header {HEADER}")
            caller = await self._backend.services.keys.caller(sent[0].encode("latin-1"))
            if caller is None:
                raise Unauthorized("the key is unknown or revoked; ask the operator for one")
            facts_of(scope).caller = caller
        await self._app(scope, receive, send)
