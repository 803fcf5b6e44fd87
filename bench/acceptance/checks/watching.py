"""What operators and their machines ask, without a key."""

from __future__ import annotations

from bench.acceptance.answers import Alive
from bench.acceptance.calls import Answer
from bench.acceptance.operations import (
    DOCS,
    DOCUMENTED,
    LIVEZ,
    METRICS,
    NOWHERE,
    OPENAPI,
    PING,
    READYZ,
    Document,
    Operation,
    documented_in,
    named,
)
from bench.acceptance.trial import Trial

_ALIVE = {PING: "ok", LIVEZ: "ok", READYZ: "ready"}
_OF_THE_CLUSTER = (LIVEZ, READYZ, METRICS)
"""What an Ingress keeps from the outside."""


def watching(trial: Trial) -> None:
    """/ping, /livez, /readyz, /metrics, /docs and /openapi.json."""
    for operation, status in _ALIVE.items():
        answer = _open(trial, operation)
        if answer is not None:
            trial.same(operation, "status", status, answer.read(Alive).status)
    figures = _open(trial, METRICS)
    if figures is not None:
        has_figures = b"facesearch_edge_request_seconds" in figures.body
        trial.same(METRICS, "figures of requests are there", expected=True, found=has_figures)
    trial.same(DOCS, "a page", "text/html", trial.calls(DOCS, headers={}).media_type)
    document = trial.calls(OPENAPI, headers={})
    if trial.expect(OPENAPI, "the document", document, "200"):
        unknown = documented_in(document.read(Document)) ^ named(DOCUMENTED)
        trial.same(
            OPENAPI,
            "operations that it has and this test lacks, or the reverse",
            [],
            sorted(unknown),
        )
    nowhere = trial.calls(NOWHERE)
    if not _is_kept_back(trial, nowhere):
        trial.expect(NOWHERE, "a path that is not there", nowhere, "404 not_found")


def _open(trial: Trial, operation: Operation) -> Answer | None:
    """The answer without a key, 200; None: it is another one, or it cannot be had from here."""
    answer = trial.calls(operation, headers={})
    if operation in _OF_THE_CLUSTER and _is_kept_back(trial, answer):
        trial.findings.tell(str(operation), "from here", "kept back by what stands before the edge")
        return None
    return answer if trial.expect(operation, "without a key", answer, "200") else None


def _is_kept_back(trial: Trial, answer: Answer) -> bool:
    """Whether something before a service elsewhere said 404: the edge's own has a code."""
    return not trial.is_ours and answer.said == "404"
