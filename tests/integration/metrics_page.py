"""What a Prometheus endpoint says, as a test asks for it."""

from __future__ import annotations

import urllib.request


def samples(port: int) -> dict[str, float]:
    """Every sample of /metrics on this port, by its name with its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}
