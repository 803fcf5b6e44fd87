"""/ping, /livez, /readyz, /metrics, /docs and /openapi.json: no key, nothing of anybody's data."""

from __future__ import annotations

import json

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from edge import __version__
from edge.docs_page import docs_page
from edge.metrics import MEDIA_TYPE, EdgeMetrics
from edge.openapi import open_problems_of
from edge.readiness import Readiness
from edge.routes.incoming import json_answer
from edge.schemas.operations import LiveAnswer, PingAnswer, ReadyAnswer


def operation_routes(readiness: Readiness, metrics: EdgeMetrics) -> APIRouter:
    """What operators and their machines ask."""
    router = APIRouter(tags=["operations"])

    @router.get("/", include_in_schema=False)
    async def front() -> Response:
        """A browser that is given the bare address gets the page that explains the rest."""
        return RedirectResponse("/docs")

    @router.get(
        "/ping",
        operation_id="ping",
        summary="Whether the service answers",
        response_model=PingAnswer,
        responses=open_problems_of(),
    )
    async def ping() -> Response:
        """Touches nothing."""
        return json_answer(PingAnswer(version=__version__))

    @router.get(
        "/livez",
        operation_id="livez",
        summary="Whether the process answers",
        response_model=LiveAnswer,
        responses=open_problems_of(),
    )
    async def livez() -> Response:
        """Also while the stores are being opened, and while the process drains."""
        return json_answer(LiveAnswer())

    @router.get(
        "/readyz",
        operation_id="readyz",
        summary="Whether requests can be answered",
        response_model=ReadyAnswer,
        responses={
            **open_problems_of(),
            503: {"model": ReadyAnswer, "description": "Something that is needed is away."},
        },
    )
    async def readyz() -> Response:
        """Every dependency, each with its state and what is wrong."""
        answer = await readiness()
        response = json_answer(answer)
        if answer.status != "ready":
            response.status_code = 503
            response.headers["Retry-After"] = "1"
        return response

    @router.get(
        "/metrics",
        operation_id="metrics",
        summary="Figures for Prometheus",
        response_class=Response,
        responses={
            200: {
                "description": "The text format of Prometheus.",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            **open_problems_of(),
        },
    )
    async def figures() -> Response:
        """Of this process."""
        return Response(metrics.text(), media_type=MEDIA_TYPE)

    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        app = request.app
        assert isinstance(app, FastAPI)  # noqa: S101  # a scope is untyped
        return Response(
            docs_page(app.openapi()),
            media_type="text/html",
            headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
        )

    @router.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> Response:
        app = request.app
        assert isinstance(app, FastAPI)  # noqa: S101  # a scope is untyped
        return Response(json.dumps(app.openapi()), media_type="application/json")

    return router
