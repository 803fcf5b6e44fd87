"""GET /embed_status/: what is in the base."""

from __future__ import annotations

from bench.acceptance.answers import StatusPage
from bench.acceptance.operations import EMBED_STATUS
from bench.acceptance.trial import Trial


def listing(trial: Trial) -> None:
    """All pages, filters, and what is refused."""
    collection = trial.names.collection("listing")
    named = {"collection_id": collection}
    trial.put("portrait", collection, trial.samples.portraits[0])
    trial.put("couple", collection, trial.samples.couple)
    trial.put("nobody", collection, trial.samples.nobody)
    page = trial.calls(EMBED_STATUS, query=named)
    if not trial.expect(EMBED_STATUS, "a collection", page, "200"):
        return
    rows = [(row.photo_id, row.status, row.faces_indexed) for row in page.read(StatusPage).items]
    expected = [("couple", "indexed", 2), ("nobody", "no_faces", 0), ("portrait", "indexed", 1)]
    trial.same(EMBED_STATUS, "photos, their status and indexed faces", expected, rows)

    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = named | {"limit": "1"} | ({"cursor": cursor} if cursor else {})
        one = trial.calls(EMBED_STATUS, query=query).read(StatusPage)
        found += [row.photo_id for row in one.items]
        cursor = one.next_cursor
    trial.same(EMBED_STATUS, "pages of one", ["couple", "nobody", "portrait"], found)
    for status, count in {"indexed": 2, "no_faces": 1, "detected": 0, "failed": 0}.items():
        filtered = trial.calls(EMBED_STATUS, query=named | {"status": status}).read(StatusPage)
        trial.same(EMBED_STATUS, f"status={status}: total", count, filtered.total)
    for name, value in {"status": "lost", "limit": "0", "cursor": "made-up"}.items():
        refused = trial.calls(EMBED_STATUS, query=named | {name: value})
        trial.expect(EMBED_STATUS, f"{name}={value}", refused, "400 invalid_parameter")
