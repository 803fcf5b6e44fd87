"""Pages of a search are cut from one order, and the threshold leaves out what is below it."""

from __future__ import annotations

from bench.acceptance.answers import Found
from bench.acceptance.operations import SEARCH
from bench.acceptance.trial import Trial
from bench.kit.copies import copy_of

_COPIES = 3
_PAGE = 5
_ALL = "-1"
_ALMOST_THE_SAME = 0.9
_DEFAULT_TOP_K, _DEFAULT_THRESHOLD = 10, 0.5
"""As the specification says."""


def paging_and_threshold(trial: Trial) -> None:
    """A collection of some photos of each person."""
    collection = trial.names.collection("pages")
    portraits = trial.samples.portraits
    for number in range(_COPIES):
        for person, portrait in enumerate(portraits):
            trial.put(f"{person}-{number}", collection, copy_of(portrait, number))
    count = _COPIES * len(portraits)
    selfie = portraits[0]
    whole = trial.search_until(
        lambda page: len(page.results) == count,
        selfie,
        collection,
        top_k="50",
        score_threshold=_ALL,
    )
    trial.same(SEARCH, f"score_threshold={_ALL}: photos", count, len(whole.results))

    pages: list[tuple[str, str]] = []
    offset: int | None = 0
    while offset is not None and offset < count:
        answer = trial.search(
            selfie, collection, top_k=str(_PAGE), offset=str(offset), score_threshold=_ALL
        )
        page = answer.read(Found)
        pages += page.photos
        offset = page.next_offset
    trial.same(SEARCH, f"pages of {_PAGE} are one order, each photo once", whole.photos, pages)
    trial.same(SEARCH, "after the last page: next_offset", None, offset)
    beyond = trial.search(selfie, collection, offset="1000").read(Found)
    trial.same(SEARCH, "a page beyond the end", [], beyond.photos)

    near = trial.search(selfie, collection, score_threshold=str(_ALMOST_THE_SAME)).read(Found)
    trial.same(
        SEARCH,
        f"score_threshold={_ALMOST_THE_SAME}: photos of the person, scores below it",
        (_COPIES, 0),
        (len(near.results), sum(one.score < _ALMOST_THE_SAME for one in near.results)),
    )
    default = trial.search(selfie, collection)
    if trial.expect(SEARCH, "neither top_k nor score_threshold named", default, "200"):
        found = default.read(Found)
        trial.same(SEARCH, "the top_k that was taken then", _DEFAULT_TOP_K, found.top_k)
        what = "the score_threshold that was taken then"
        if trial.is_ours:
            trial.same(SEARCH, what, _DEFAULT_THRESHOLD, found.score_threshold)
        else:  # which is a setting
            trial.findings.tell(str(SEARCH), what, found.score_threshold)
    advised = trial.search(selfie, collection, score_threshold="recommended")
    trial.findings.rule(
        str(SEARCH),
        "score_threshold=recommended",
        "200, or 400 where the pack names none",
        advised.said,
        passes=advised.said in ("200", "400 invalid_parameter"),
    )
