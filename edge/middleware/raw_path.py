"""The path as it was sent becomes the path that is routed."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class RawPath:
    """Routes on percent-encoded segments, with or without the trailing slash, without redirects.

    Servers decode the path before routing, so that `a%2Fb` looks like two segments. Here one
    segment stays one segment; the route decodes it. HEAD is routed as GET, the server leaves the
    body out.
    """

    def __init__(self, app: ASGIApp, slashed: frozenset[str]) -> None:
        """`slashed`: the routes whose own form ends with a slash."""
        self._app = app
        self._slashed = slashed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = self.routed(scope["raw_path"].decode("ascii", "replace"))
        await self._app({**scope, "path": path, "method": method}, receive, send)

    def routed(self, path: str) -> str:
        """The path in the form that its route has."""
        if path.endswith("/") and not path.endswith("//") and len(path) > 1:
            path = path[:-1]
        return path + "/" if path + "/" in self._slashed else path
