"""What operators and their machines ask, without a key."""

from __future__ import annotations

from bench.acceptance.answers import Alive
from bench.acceptance.operations import (
    DOCS,
    DOCUMENTED,
    LIVEZ,
    METRICS,
    NOWHERE,
    OPENAPI,
    PING,
    READYZ,
    documented_in,
    named,
)
from bench.acceptance.trial import Trial

_ALIVE = {PING: "ok", LIVEZ: "ok", READYZ: "ready"}


def watching(trial: Trial) -> None:
    """/ping, /livez, /readyz, /metrics, /docs and /openapi.json."""
    for operation, status in _ALIVE.items():
        answer = trial.calls(operation, headers={})
        if trial.expect(operation, "without a key", answer, "200"):
            trial.same(operation, "status", status, answer.read(Alive).status)
    figures = trial.calls(METRICS, headers={})
    trial.expect(METRICS, "without a key", figures, "200")
    trial.same(
        METRICS,
        "figures of requests are there",
        expected=True,
        found=b"facesearch_edge_request_seconds" in figures.body,
    )
    trial.same(DOCS, "a page", "text/html", trial.calls(DOCS, headers={}).media_type)
    document = trial.calls(OPENAPI, headers={})
    if trial.expect(OPENAPI, "the document", document, "200"):
        unknown = documented_in(document.body) ^ named(DOCUMENTED)
        trial.same(
            OPENAPI,
            "operations that it has and this test lacks, or the reverse",
            [],
            sorted(unknown),
        )
    trial.expect(NOWHERE, "a path that is not there", trial.calls(NOWHERE), "404 not_found")
