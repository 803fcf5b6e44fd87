"""Collections in which there is nothing: an empty list, and no error."""

from __future__ import annotations

from bench.acceptance.answers import AllRemoved, Found, StatusPage
from bench.acceptance.operations import EMBED_STATUS, REMOVE_ALL
from bench.acceptance.trial import Trial

PART = "Empty collections"
_TOP_KS = ("10", "50")


def empty_collections(trial: Trial) -> None:
    """One that never had a photo, and one that was emptied."""
    _empty(trial, PART)


def empty_beside_full(trial: Trial) -> None:
    """The same once there are others with thousands of photos."""
    _empty(trial, f"{PART} beside full ones")


def _empty(trial: Trial, part: str) -> None:
    never = trial.names.collection("empty")
    emptied = trial.names.collection("emptied")
    trial.put("a", emptied, trial.samples.portraits[0])
    trial.calls(REMOVE_ALL, query={"collection_id": emptied}).read(AllRemoved)
    for what, collection in {"never filled": never, "emptied": emptied}.items():
        for top_k in _TOP_KS:
            answer = trial.search(trial.samples.portraits[0], collection, top_k=top_k)
            line = f"search, top_k {top_k}, in a collection {what}"
            trial.findings.judge(part, line, "200", answer.said)
            trial.findings.judge(part, f"{line}: results", [], answer.read(Found).photos)
        listed = trial.calls(EMBED_STATUS, query={"collection_id": collection}).read(StatusPage)
        trial.findings.judge(part, f"{EMBED_STATUS}, {what}: total", 0, listed.total)
    both = trial.calls(REMOVE_ALL, query={"collection_id": never}).read(AllRemoved)
    trial.findings.judge(part, f"{REMOVE_ALL}, never filled: photos", 0, both.photos_removed)
