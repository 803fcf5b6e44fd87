"""Removal, lookup and lists: which photo is meant, and who may."""

from __future__ import annotations

import pytest

from edge.errors import AmbiguousPhoto, Forbidden
from storage.errors import PhotoNotFound, VectorsUnavailable
from storage.records.model import PhotoFilter
from tests.unit.edge.fakes import failing, photo_of
from tests.unit.edge.use_cases.conftest import Base, key


@pytest.fixture
async def two_collections(base: Base) -> Base:
    """ "shared" is in both collections, "single" in one and "loose" in none."""
    await base.enrol(key("shared", "one"), photo_of("anna"))
    await base.enrol(key("shared", "two"), photo_of("bob"))
    await base.enrol(key("single", "two"), photo_of("carol"))
    await base.enrol(key("loose"), photo_of("dave"))
    return base


async def test_a_removed_photo_is_in_no_result_even_with_the_vector_store_down(
    base: Base,
) -> None:
    await base.enrol(key("IMG_1"), photo_of("anna"))
    base.vector_steps.before["remove_revisions"] = failing(VectorsUnavailable("away"))
    photo, removed = await base.remove.one("IMG_1", None, None)
    assert photo == key("IMG_1")
    assert (removed.photos, removed.faces) == (1, 1)
    assert (await base.sweep.once()).failure == "VectorsUnavailable"
    assert await base.found("anna") == []


async def test_a_photo_removed_twice_is_not_found_the_second_time(base: Base) -> None:
    await base.enrol(key("IMG_1"), photo_of("anna"))
    await base.remove.one("IMG_1", None, None)
    with pytest.raises(PhotoNotFound):
        await base.remove.one("IMG_1", None, None)
    with pytest.raises(PhotoNotFound):
        await base.remove.one("IMG_1", "", None)


async def test_the_only_photo_of_an_id_needs_no_collection(two_collections: Base) -> None:
    photo = await two_collections.read.photo("single", None, None)
    assert photo.revision.photo == key("single", "two")


async def test_an_id_in_several_collections_needs_one_named(two_collections: Base) -> None:
    with pytest.raises(AmbiguousPhoto) as caught:
        await two_collections.remove.one("shared", None, None)
    assert caught.value.collections == ("one", "two")
    photo, _ = await two_collections.remove.one("shared", "two", None)
    assert photo == key("shared", "two")
    assert await two_collections.found("anna") == ["shared"]
    assert await two_collections.found("bob") == []


async def test_the_empty_collection_means_what_is_in_none(two_collections: Base) -> None:
    photo = await two_collections.read.photo("loose", "", None)
    assert photo.revision.photo == key("loose")
    with pytest.raises(PhotoNotFound):
        await two_collections.read.photo("single", "", None)


async def test_a_key_with_collections_sees_its_own_only(two_collections: Base) -> None:
    own = frozenset({"one"})
    photo = await two_collections.read.photo("shared", None, own)
    assert photo.revision.photo == key("shared", "one")
    with pytest.raises(PhotoNotFound):
        await two_collections.read.photo("single", None, own)
    with pytest.raises(Forbidden):
        await two_collections.read.photo("single", "two", own)
    with pytest.raises(Forbidden):
        await two_collections.remove.one("single", "two", own)


async def test_all_photos_of_a_collection_go_and_no_others(two_collections: Base) -> None:
    removed = await two_collections.remove.all(frozenset({"two"}))
    assert (removed.photos, removed.faces) == (2, 2)
    listing = await two_collections.read.list(PhotoFilter(), None, 10)
    assert [item.photo for item in listing.items] == [key("loose"), key("shared", "one")]


async def test_a_list_comes_in_pages_with_its_total(two_collections: Base) -> None:
    first = await two_collections.read.list(PhotoFilter(), None, 3)
    assert len(first.items) == 3
    assert first.total == 4
    rest = await two_collections.read.list(PhotoFilter(), first.next_after, 3)
    assert [item.photo for item in rest.items] == [key("single", "two")]
    assert rest.next_after is None


async def test_a_photo_whose_bytes_are_lost_has_no_image(base: Base) -> None:
    enrolment = await base.enrol(key("IMG_1"), photo_of("anna"))
    await base.photos.remove([enrolment.photo.revision.id])
    with pytest.raises(PhotoNotFound):
        await base.read.image("IMG_1", None, None)


async def test_a_photo_put_back_after_its_removal_survives_a_late_delete_of_its_vectors(
    base: Base,
) -> None:
    """A delete that timed out at the engine and is carried out after the photo came back."""
    first = await base.enrol(key("IMG_1"), photo_of("anna"))
    await base.remove.one("IMG_1", None, None)
    await base.enrol(key("IMG_1"), photo_of("anna"))
    await base.vectors.remove_revisions([first.photo.revision.id])
    await base.sweep.once()
    await base.vectors.remove_revisions([first.photo.revision.id])
    assert await base.found("anna") == ["IMG_1"]
