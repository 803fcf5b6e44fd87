"""What tests of outages share: waiting for a state, answers in short, a small photo of a person."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
from PIL import Image

from tests.integration.system import Client

BACK_SECONDS = 60.0
"""Generous: a test machine may be busy with other things."""


def until(is_so: Callable[[], bool], what: str, seconds: float = BACK_SECONDS) -> None:
    """Return as soon as it is so. Fails when the time is over."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        threading.Event().wait(0.02)  # between two looks; nothing announces it


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def small(photo: Path, side: int = 320) -> bytes:
    """A photo, scaled down, as a PNG."""
    with Image.open(photo) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((side, side))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def problem(answer: httpx2.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, str(answer.json()["code"])


def is_away(answer: httpx2.Response, code: str) -> bool:
    """A 503 with this code that says when to come back."""
    is_so = problem(answer) == (503, code)
    assert not is_so or int(answer.headers["Retry-After"]) >= 1
    return is_so


def states(client: Client) -> dict[str, str]:
    """What /readyz says of every dependency."""
    ready = client.http.get("/readyz")
    body = ready.json()
    assert (ready.status_code == 200) == (body["status"] == "ready")
    return {name: str(part["state"]) for name, part in body["dependencies"].items()}


def broken(client: Client) -> list[str]:
    """The dependencies that /readyz says are not usable."""
    return [name for name, state in states(client).items() if state != "ok"]


def put(client: Client, name: str, image: bytes, **headers: str) -> httpx2.Response:
    """Enrol, whatever comes. Headers with `_` for `-`."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return client.http.put(f"/photos/{name}", files={"image": image}, headers=named)


def found(client: Client, image: bytes) -> list[str]:
    """Photos that show this person, for certain."""
    rows = client.search(image, score_threshold=0.8, top_k=50)["results"]
    return [row["photo_id"] for row in rows]
