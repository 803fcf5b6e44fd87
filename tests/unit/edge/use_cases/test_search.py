"""The search: which face counts, which model, which page."""

from __future__ import annotations

import pytest

from edge.errors import (
    InferenceUnavailable,
    InvalidImage,
    InvalidParameter,
    NoFacesDetected,
    TooManyFaces,
)
from edge.use_cases.model import FacesPolicy, SearchPage, SearchQuery
from edge.use_cases.search import SearchPhotos, SearchSettings
from storage.errors import EmbeddingSpaceMismatch
from tests.unit.edge.fakes import OTHER_MODEL, box_of, embedding_of, photo_of
from tests.unit.edge.use_cases.conftest import Base, key

EVERYTHING = SearchQuery(top_k=10, offset=0, score_threshold=-1.0, collections=None)


def query(*, top_k: int = 10, offset: int = 0, threshold: float = -1.0) -> SearchQuery:
    return SearchQuery(top_k=top_k, offset=offset, score_threshold=threshold, collections=None)


def photo_ids(page: SearchPage) -> list[str]:
    return [match.photo.photo_id for match in page.matches]


async def test_a_person_is_found_by_another_photo_of_theirs(base: Base) -> None:
    await base.enrol(key("IMG_1"), photo_of("anna", "bob"))
    page = await base.find("anna")
    (match,) = page.matches
    assert match.photo == key("IMG_1")
    expected = float(embedding_of("anna", 0) @ embedding_of("anna", 99))
    assert match.score == pytest.approx(expected, abs=1e-6)
    assert match.box == box_of(0)
    assert page.faces_found == 1
    assert page.next_offset is None
    assert page.score_threshold == 0.5


async def test_two_faces_of_one_photo_take_one_row_by_the_more_similar(base: Base) -> None:
    await base.enrol(key("IMG_1"), photo_of("bob", "anna"))
    page = await base.search(photo_of("anna"), EVERYTHING)
    (match,) = page.matches
    assert match.box == box_of(1)


async def test_an_empty_base_gives_an_empty_page(base: Base) -> None:
    page = await base.search(photo_of("anna"), EVERYTHING)
    assert page.matches == []
    assert page.next_offset is None


async def test_a_collection_shows_its_own_photos_only(base: Base) -> None:
    for collection in ("", "one", "two"):
        await base.enrol(key("IMG_1", collection), photo_of("anna"))
    page = await base.find("anna", collections=frozenset({"one", ""}))
    assert [match.photo.collection_id for match in page.matches] == ["", "one"]
    assert (await base.find("anna", collections=frozenset({"none"}))).matches == []


async def test_a_selfie_without_a_face_is_refused_on_an_empty_base_too(base: Base) -> None:
    with pytest.raises(NoFacesDetected):
        await base.search(photo_of(), EVERYTHING)
    with pytest.raises(NoFacesDetected, match="large"):
        await base.search(photo_of("small:anna"), EVERYTHING)
    with pytest.raises(InvalidImage):
        await base.search(b"GIF89a", EVERYTHING)


async def test_two_faces_that_count_are_too_many_and_their_boxes_are_told(base: Base) -> None:
    with pytest.raises(TooManyFaces) as caught:
        await base.search(photo_of("anna", "small:bob", "carol"), EVERYTHING)
    assert caught.value.boxes == (box_of(0), box_of(2))


async def test_a_face_that_does_not_count_does_not_disturb(base: Base) -> None:
    await base.enrol(key("IMG_1"), photo_of("anna"))
    page = await base.search(photo_of("small:bob", "anna"), query(threshold=0.5))
    assert photo_ids(page) == ["IMG_1"]
    assert page.faces_found == 1


async def test_the_largest_of_several_is_searched_where_the_setting_says_so(base: Base) -> None:
    await base.enrol(key("IMG_1"), photo_of("anna"))
    settings = SearchSettings(faces=FacesPolicy.LARGEST)
    search = SearchPhotos(base.faces, base.vectors, base.records, settings)
    page = await search(photo_of("anna", "bob"), query(threshold=0.5))
    assert photo_ids(page) == ["IMG_1"]
    assert page.faces_found == 2


async def test_pages_are_cut_from_one_order_and_end(base: Base) -> None:
    for number in range(7):
        await base.enrol(key(f"p{number}"), photo_of("anna", shot=number))
    whole = photo_ids(await base.search(photo_of("anna", shot=50), query(top_k=50)))
    assert len(whole) == 7
    pages: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = await base.search(photo_of("anna", shot=50), query(top_k=3, offset=offset))
        pages += photo_ids(page)
        offset = page.next_offset
    assert pages == whole


async def test_a_full_last_page_has_no_next_one(base: Base) -> None:
    for number in range(3):
        await base.enrol(key(f"p{number}"), photo_of("anna", shot=number))
    assert (await base.search(photo_of("anna"), query(top_k=3))).next_offset is None
    assert (await base.search(photo_of("anna"), query(top_k=2))).next_offset == 2
    past_the_end = await base.search(photo_of("anna"), query(top_k=3, offset=10))
    assert past_the_end.matches == []
    assert past_the_end.next_offset is None


async def test_the_next_page_of_a_selfie_needs_no_inference(base: Base) -> None:
    await base.enrol(key("IMG_1"), photo_of("anna"))
    await base.search(photo_of("anna", shot=1), query(top_k=1))
    base.faces.errors = [InferenceUnavailable("away")]
    await base.search(photo_of("anna", shot=1), query(top_k=1, offset=1))
    with pytest.raises(InferenceUnavailable):
        await base.search(photo_of("anna", shot=2), query())


async def test_an_error_is_not_remembered(base: Base) -> None:
    base.faces.errors = [InferenceUnavailable("away")]
    with pytest.raises(InferenceUnavailable):
        await base.search(photo_of("anna"), EVERYTHING)
    await base.search(photo_of("anna"), EVERYTHING)


async def test_the_recommended_threshold_is_the_packs(base: Base) -> None:
    assert await base.search.recommended_threshold() == 0.4


async def test_the_page_says_which_threshold_was_applied(base: Base) -> None:
    page = await base.search(photo_of("anna"), query(threshold=0.123456))
    assert page.score_threshold == 0.123456


async def test_a_pack_without_a_recommendation_says_so(base: Base) -> None:
    base.faces.threshold = None
    with pytest.raises(InvalidParameter) as caught:
        await base.search.recommended_threshold()
    assert caught.value.field == "score_threshold"


async def test_vectors_of_another_model_are_never_compared(base: Base) -> None:
    await base.enrol(key("IMG_1"), photo_of("anna"))
    base.faces.loaded = OTHER_MODEL
    with pytest.raises(EmbeddingSpaceMismatch):
        await base.search(photo_of("anna"), EVERYTHING)
    assert "search" not in base.vector_steps.calls


async def test_once_nothing_is_indexed_another_model_finds_an_empty_base(base: Base) -> None:
    await base.enrol(key("IMG_1"), photo_of("anna"))
    await base.remove.all(None)
    base.faces.loaded = OTHER_MODEL
    assert (await base.search(photo_of("anna"), EVERYTHING)).matches == []


async def test_a_photo_replaced_while_it_is_searched_is_in_the_result(base: Base) -> None:
    """Rows of its former bytes are read, then the new bytes are committed."""
    await base.enrol(key("IMG_1"), photo_of("anna", shot=1))

    async def replace_it() -> None:
        base.vector_steps.after.clear()
        await base.enrol(key("IMG_1"), photo_of("bob", "anna", shot=2))

    base.vector_steps.after["search"] = replace_it
    page = await base.find("anna")
    (match,) = page.matches
    assert match.box == box_of(1)


async def test_a_photo_removed_while_it_is_searched_is_not_in_the_result(base: Base) -> None:
    await base.enrol(key("IMG_1"), photo_of("anna"))

    async def remove_it() -> None:
        await base.remove.one("IMG_1", None, None)

    base.vector_steps.after["search"] = remove_it
    assert await base.found("anna") == []
