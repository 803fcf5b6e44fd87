"""Exceptions become answers, in one place."""

from __future__ import annotations

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.facts import facts_of
from edge.problems import INTERNAL, problem_of, response_to


class Problems:
    """Answers for whatever was raised inside, unless an answer has begun already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = structlog.get_logger("edge.problems")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def note_begin(message: Message) -> None:
            nonlocal has_begun
            has_begun = has_begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, note_begin)
        except Exception as error:  # the outermost loop: logs and answers
            problem = problem_of(error)
            if problem.kind is INTERNAL:
                self._log.exception("internal error", request_id=facts_of(scope).request_id)
            elif problem.kind.status >= 500:
                # The cause (a driver's or gRPC's own words) is for the operator only.
                self._log.warning(
                    "unavailable",
                    request_id=facts_of(scope).request_id,
                    code=problem.kind.code,
                    cause=str(error),
                )
            if has_begun:
                raise
            await response_to(problem, scope)(scope, receive, send)
