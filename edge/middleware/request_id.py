"""The request id: taken if it is fit to be logged, or made; returned with every answer."""

from __future__ import annotations

import re
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.facts import RequestFacts, attach, current_facts

HEADER = "X-Request-Id"
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,128}")


class RequestId:
    """Attaches the facts of the request, with its id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope).get(HEADER, "")
        request_id = sent if _VISIBLE_ASCII.fullmatch(sent) else uuid.uuid4().hex
        facts = RequestFacts(request_id)
        attach(scope, facts)

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        token = current_facts.set(facts)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            current_facts.reset(token)
