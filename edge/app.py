"""The ASGI application, put together from its parts. Opens nothing, starts nothing."""

from __future__ import annotations

import dataclasses
import functools

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from edge import __version__
from edge.backend import Backend
from edge.metrics import EdgeMetrics
from edge.middleware.access_log import AccessLog
from edge.middleware.body_limits import FRAMING_BYTES, BodyLimits
from edge.middleware.closing import Closing
from edge.middleware.deadline import Deadline
from edge.middleware.in_flight import InFlight
from edge.middleware.keys import Keys
from edge.middleware.problems import Problems
from edge.middleware.raw_path import RawPath
from edge.middleware.request_id import RequestId
from edge.middleware.tracing import Traced
from edge.middleware.unread_body import UnreadBody
from edge.openapi import document
from edge.problems import problem_of, response_to
from edge.readiness import Readiness
from edge.routes.base import base_routes
from edge.routes.faces import face_routes
from edge.routes.operations import operation_routes
from edge.routes.photos import photo_routes
from edge.routes.search import search_routes
from edge.settings import EdgeSettings
from edge.tracing import Tracing


def create_app(
    settings: EdgeSettings,
    backend: Backend,
    metrics: EdgeMetrics | None = None,
    readiness: Readiness | None = None,
    tracing: Tracing | None = None,
) -> FastAPI:
    """The edge as an ASGI application over what stands behind it. tracing: None traces nothing."""
    metrics = metrics or EdgeMetrics()
    app = FastAPI(
        title="facesearch",
        version=__version__,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # Its spans would have the path in them, and with it ids of photos.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    for router in (
        search_routes(backend, settings, metrics),
        photo_routes(backend, settings, metrics),
        face_routes(backend, settings, metrics),
        base_routes(backend, settings),
        operation_routes(readiness or Readiness(backend), metrics),
    ):
        # Not include_router: it nests the routes, and the Allow header and the labels of the
        # metrics need them in one list.
        app.router.routes.extend(router.routes)
    app.add_exception_handler(HTTPException, _no_such_route)
    app.openapi = functools.cache(lambda: document(app))  # type: ignore[method-assign]  # FastAPI's documented way

    # The last added is the outermost: read from the bottom (edge/middleware/__init__.py).
    app.add_middleware(
        BodyLimits,
        search_bytes=settings.max_search_bytes,
        enrol_bytes=settings.max_enrol_bytes,
        field_bytes=settings.max_field_bytes,
    )
    app.add_middleware(
        InFlight,
        limit=settings.max_in_flight,
        max_body_bytes=settings.max_enrol_bytes + settings.max_field_bytes + FRAMING_BYTES,
    )
    # JWT and rate limits go here.
    app.add_middleware(Keys, backend=backend)
    app.add_middleware(
        Deadline,
        default_seconds=settings.default_timeout_seconds,
        max_seconds=settings.max_timeout_seconds,
    )
    app.add_middleware(Problems)
    app.add_middleware(UnreadBody)
    app.add_middleware(AccessLog, metrics=metrics, routes=app.routes)
    if tracing is not None:
        app.add_middleware(Traced, tracing=tracing, routes=app.routes)
    app.add_middleware(RequestId)
    app.add_middleware(Closing, backend=backend)
    app.add_middleware(RawPath, slashed=frozenset(_slashed(app.routes)))
    return app


def _slashed(routes: list[BaseRoute]) -> list[str]:
    return [path for route in routes if (path := getattr(route, "path", "")).endswith("/")]


async def _no_such_route(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.kind.status == 405:
        methods = sorted(_methods(request.app.routes, request.scope))
        problem = dataclasses.replace(problem, headers={"Allow": ", ".join(methods)})
    return response_to(problem, request.scope)


def _methods(routes: list[BaseRoute], scope: Scope) -> set[str]:
    """Every method that some route takes at this path; Starlette names those of the first only."""
    return {
        method
        for route in routes
        if route.matches(scope)[0] is not Match.NONE
        for method in getattr(route, "methods", None) or ()
    }
