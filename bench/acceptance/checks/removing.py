"""DELETE /remove/ and /remove_all/: out of the base, and out of every search at once."""

from __future__ import annotations

from bench.acceptance.answers import AllRemoved, Found, Removed, StatusPage
from bench.acceptance.operations import EMBED_STATUS, REMOVE, REMOVE_ALL, REMOVE_BY_QUERY, SEARCH
from bench.acceptance.trial import Trial


def removing(trial: Trial) -> None:
    """One photo, a collection, everything."""
    collection = trial.names.collection("removing")
    named = {"collection_id": collection}
    portrait = trial.samples.portraits[0]
    for name in ("by path", "by query", "with the rest"):
        trial.put(name, collection, portrait)
    trial.search_until(lambda page: len(page.results) == 3, portrait, collection)

    answer = trial.calls(REMOVE, photo_id="by path", query=named)
    if trial.expect(REMOVE, "a photo", answer, "200"):
        trial.same(REMOVE, "its faces", 1, answer.read(Removed).faces_removed)
    left = sorted(name for _, name in trial.search(portrait, collection).read(Found).photos)
    trial.same(SEARCH, "right after a removal", ["by query", "with the rest"], left)
    again = trial.calls(REMOVE, photo_id="by path", query=named)
    trial.expect(REMOVE, "the same again", again, "404 photo_not_found")

    answer = trial.calls(REMOVE_BY_QUERY, query=named | {"photo_id": "by query"})
    trial.expect(REMOVE_BY_QUERY, "a photo", answer, "200")
    again = trial.calls(REMOVE_BY_QUERY, query=named | {"photo_id": "by query"})
    trial.expect(REMOVE_BY_QUERY, "the same again", again, "404 photo_not_found")

    for what, photos in {"a collection": 1, "the same again": 0}.items():
        answer = trial.calls(REMOVE_ALL, query=named)
        if trial.expect(REMOVE_ALL, what, answer, "200"):
            removed = answer.read(AllRemoved).photos_removed
            trial.same(REMOVE_ALL, f"{what}: photos", photos, removed)
    after = trial.search(portrait, collection).read(Found)
    trial.same(SEARCH, "right after all were removed", [], after.photos)
    _everything(trial)


def _everything(trial: Trial) -> None:
    if not trial.is_ours:
        trial.findings.tell(
            str(REMOVE_ALL), "the whole base", "not asked for: the base may hold photos of others"
        )
        return
    trial.expect(REMOVE_ALL, "the whole base", trial.calls(REMOVE_ALL), "200")
    listed = trial.calls(EMBED_STATUS).read(StatusPage)
    trial.same(EMBED_STATUS, "after that: total", 0, listed.total)
