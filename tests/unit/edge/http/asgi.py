"""Requests as a server hands them over: exact bytes in the path, a body in pieces."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from starlette.types import ASGIApp, Message


@dataclass
class Exchange:
    """What was sent and what was read, in order."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    events: list[str] = field(default_factory=list)
    """"read <n>", "start", "body", "end"."""

    @property
    def json(self) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(self.body))

    @property
    def bytes_read(self) -> int:
        return sum(int(event[5:]) for event in self.events if event.startswith("read "))


async def exchange(
    app: ASGIApp,
    method: str,
    raw_path: str,
    *,
    headers: Mapping[str, str] | None = None,
    query: bytes = b"",
    chunks: Iterable[bytes] = (),
) -> Exchange:
    """Send one request. The app reads the chunks as it asks for them."""
    seen = Exchange()
    pieces = list(chunks)

    async def receive() -> Message:
        chunk = pieces.pop(0) if pieces else b""
        seen.events.append(f"read {len(chunk)}")
        return {"type": "http.request", "body": chunk, "more_body": bool(pieces)}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            seen.events.append("start")
            seen.status = message["status"]
            seen.headers = {
                name.decode().lower(): value.decode() for name, value in message["headers"]
            }
            return
        seen.body += message.get("body", b"")
        seen.events.append("body" if message.get("more_body", False) else "end")

    await app(
        {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": raw_path,  # servers decode it; nobody here may look at it
            "raw_path": raw_path.encode("ascii"),
            "root_path": "",
            "query_string": query,
            "headers": [
                (name.lower().encode(), value.encode("latin-1"))
                for name, value in (headers or {}).items()
            ],
            "client": ("127.0.0.1", 1),
            "server": ("edge", 80),
        },
        receive,
        send,
    )
    return seen


def multipart(
    image: bytes | None = None, *, boundary: str = "limit", **fields: str
) -> tuple[dict[str, str], bytes]:
    """The content type, and the body as it goes over the wire."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if image is not None:
        parts.append(
            f"--{boundary}\r\nContent-Disposition: form-data; "
            f'name="image"; filename="p.jpg"\r\n\r\n'.encode()
            + image
            + b"\r\n"
        )
    return (
        {"Content-Type": f"multipart/form-data; boundary={boundary}"},
        b"".join(parts) + f"--{boundary}--\r\n".encode(),
    )
