"""POST /search/: whom it finds, and what it refuses."""

from __future__ import annotations

from bench.acceptance.answers import Found, Refusal
from bench.acceptance.operations import SEARCH
from bench.acceptance.samples import padded
from bench.acceptance.trial import Trial

_MAX_BYTES = 5 * 2**20


def searching(trial: Trial) -> None:
    """The person, each photo once, in the collections that are named."""
    first, second = trial.names.collection("search"), trial.names.collection("search-too")
    samples = trial.samples
    portrait = samples.portraits[0]
    trial.put("twins", first, samples.twins)
    trial.put("portrait", first, portrait)
    trial.put("other", first, samples.portraits[1])
    trial.put("portrait", second, samples.portraits[2])
    found = trial.search_until(lambda page: len(page.results) > 1, portrait, first)
    trial.same(
        SEARCH,
        "photos of a person: each once, also the one with two of its faces",
        [(first, "portrait"), (first, "twins")],
        sorted(found.photos),
    )
    scores = [match.score for match in found.results]
    trial.same(SEARCH, "most similar first", sorted(scores, reverse=True), scores)
    for what, image in {"a PNG": samples.png, "a WebP": samples.webp}.items():
        answer = trial.search(image, first)
        if trial.expect(SEARCH, what, answer, "200"):
            trial.same(SEARCH, f"{what}: photos", 2, len(answer.read(Found).results))
    _collections(trial, first, second)
    _selfies_refused(trial, first)
    _parameters_refused(trial, first)


def _collections(trial: Trial, first: str, second: str) -> None:
    stranger = trial.samples.portraits[2]
    inside = trial.search_until(lambda page: bool(page.results), stranger, second)
    trial.same(SEARCH, "within one collection", [(second, "portrait")], inside.photos)
    outside = trial.search(stranger, first).read(Found)
    trial.same(SEARCH, "of somebody who is in another collection", [], outside.photos)
    both = trial.calls(SEARCH, image=stranger, fields={"collection_id": [first, second]})
    trial.same(SEARCH, "in both collections", [(second, "portrait")], both.read(Found).photos)
    everywhere = trial.calls(SEARCH, image=stranger, fields={"top_k": "50"}).read(Found)
    is_there = (second, "portrait") in everywhere.photos
    trial.same(SEARCH, "in the whole base: it is among them", expected=True, found=is_there)


def _selfies_refused(trial: Trial, collection: str) -> None:
    answer = trial.search(trial.samples.couple, collection)
    if trial.expect(SEARCH, "two people", answer, "422 too_many_faces"):
        trial.same(SEARCH, "two people: how many it says", 2, answer.read(Refusal).faces.count)
    answer = trial.search(trial.samples.nobody, collection)
    if trial.expect(SEARCH, "nobody", answer, "422 no_faces_detected"):
        trial.same(SEARCH, "nobody: how many it says", 0, answer.read(Refusal).faces.count)
    for what, image in trial.samples.unreadable.items():
        trial.expect(SEARCH, what, trial.search(image, collection), "415 invalid_image_format")
    large = trial.search(padded(trial.samples.portraits[0], _MAX_BYTES + 1), collection)
    trial.expect(SEARCH, "more than 5 MiB", large, "413 image_too_large")


def _parameters_refused(trial: Trial, collection: str) -> None:
    wrong = {"top_k": ("0", "51", "many"), "score_threshold": ("2", "NaN"), "offset": ("-1",)}
    for name, values in wrong.items():
        for value in values:
            answer = trial.search(trial.samples.portraits[0], collection, **{name: value})
            trial.expect(SEARCH, f"{name}={value}", answer, "400 invalid_parameter")
    missing = trial.calls(SEARCH, fields={"collection_id": collection})
    trial.expect(SEARCH, "no image", missing, "400 invalid_parameter")
