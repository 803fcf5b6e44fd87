"""Single faces into the index, by id or by box, here or in another collection."""

from __future__ import annotations

import math

import pytest

from edge.errors import (
    AmbiguousPhoto,
    Forbidden,
    InferenceUnavailable,
    InvalidParameter,
    NoFacesDetected,
)
from storage.errors import FaceNotFound, PhotoNotFound, RecordsUnavailable, VectorsUnavailable
from storage.records.model import Box, FaceState, PhotoStatus
from tests.unit.edge.fakes import box_of, failing, photo_of
from tests.unit.edge.use_cases.conftest import Base, key

PHOTO = key("IMG_1")


def moved(box: Box, x: float) -> Box:
    return Box(box.x + x, box.y, box.width, box.height)


async def face_ids(base: Base, *people: str) -> list[str]:
    """Detects a photo of these people and says the ids of their faces."""
    detected = await base.detect(PHOTO, photo_of(*people))
    return [face.face_id for face in detected.photo.faces]


async def test_the_face_that_was_added_is_found_and_its_neighbour_is_not(base: Base) -> None:
    anna, _ = await face_ids(base, "anna", "bob")
    added = await base.add_face.by_face(anna, None, None)
    assert added.created
    assert added.photo == PHOTO
    assert added.face.state is FaceState.INDEXED
    assert await base.found("anna") == ["IMG_1"]
    assert await base.found("bob") == []


async def test_a_face_added_again_changes_nothing_and_needs_no_inference(base: Base) -> None:
    (anna,) = await face_ids(base, "anna")
    first = await base.add_face.by_face(anna, None, None)
    base.faces.errors = [InferenceUnavailable("away")]
    again = await base.add_face.by_face(anna, None, None)
    assert not again.created
    assert again.face == first.face
    assert again.model == first.model


async def test_the_first_face_of_new_bytes_replaces_the_photo_whole(base: Base) -> None:
    await base.enrol(PHOTO, photo_of("anna", "bob"))
    carol, _ = await face_ids(base, "carol", "dave")
    await base.add_face.by_face(carol, None, None)
    assert await base.found("anna") == []
    assert await base.found("bob") == []
    assert await base.found("carol") == ["IMG_1"]
    assert await base.read.image("IMG_1", None, None) == photo_of("carol", "dave")


@pytest.mark.parametrize("face_id", ["", "f_", "nonsense", f"f_{'0' * 26}_0", "f_'; drop_1"])
async def test_an_unknown_face_is_not_found(base: Base, face_id: str) -> None:
    await base.enrol(PHOTO, photo_of("anna"))
    with pytest.raises(FaceNotFound):
        await base.add_face.by_face(face_id, None, None)


async def test_a_face_of_a_removed_photo_is_not_found(base: Base) -> None:
    (anna,) = await face_ids(base, "anna")
    await base.remove.one("IMG_1", None, None)
    with pytest.raises(FaceNotFound):
        await base.add_face.by_face(anna, None, None)


async def test_a_photo_removed_while_its_face_is_embedded_stays_removed(base: Base) -> None:
    (anna,) = await face_ids(base, "anna")

    async def remove_it() -> None:
        await base.remove.one("IMG_1", None, None)

    base.vector_steps.before["add"] = remove_it
    with pytest.raises(FaceNotFound):
        await base.add_face.by_face(anna, None, None)
    assert await base.found("anna") == []


@pytest.mark.parametrize(
    ("step", "error"), [("add", VectorsUnavailable("away")), ("index_face", RecordsUnavailable(""))]
)
async def test_an_addition_that_fails_can_be_sent_again(
    base: Base, step: str, error: Exception
) -> None:
    (anna,) = await face_ids(base, "anna")
    steps = base.vector_steps if step == "add" else base.record_steps
    steps.before[step] = failing(error)
    with pytest.raises(type(error)):
        await base.add_face.by_face(anna, None, None)
    assert await base.found("anna") == []
    steps.before.clear()
    assert (await base.add_face.by_face(anna, None, None)).created
    assert await base.found("anna") == ["IMG_1"]


async def test_a_box_means_the_face_it_overlaps_most(base: Base) -> None:
    await base.detect(PHOTO, photo_of("anna", "bob"))
    added = await base.add_face.by_box("IMG_1", moved(box_of(1), 40.0), None, None)
    assert added.face.number == 1
    assert await base.found("bob") == ["IMG_1"]
    assert base.faces.calls == ["analyze", "embed", "analyze"]  # the last one is the search


async def test_a_face_that_was_not_detected_is_looked_for_under_the_box(base: Base) -> None:
    await base.detect(PHOTO, photo_of("anna", "hidden:bob"))
    added = await base.add_face.by_box("IMG_1", box_of(1), None, None)
    assert added.created
    assert added.face.number == 1
    assert await base.found("bob") == ["IMG_1"]

    again = await base.add_face.by_box("IMG_1", box_of(1), None, None)
    assert not again.created
    assert again.face.face_id == added.face.face_id


async def test_a_generous_box_around_a_known_face_adds_it_once(base: Base) -> None:
    await base.detect(PHOTO, photo_of("anna"))
    around = Box(-100.0, 0.0, 400.0, 200.0)  # overlaps it by less than 0.3
    added = await base.add_face.by_box("IMG_1", around, None, None)
    assert added.face.number == 0
    assert len((await base.read.photo("IMG_1", None, None)).faces) == 1


async def test_a_box_on_an_indexed_face_says_that_it_was_there(base: Base) -> None:
    await base.enrol(PHOTO, photo_of("anna"))
    assert not (await base.add_face.by_box("IMG_1", box_of(0), None, None)).created


async def test_a_box_without_a_face_under_it_is_no_face(base: Base) -> None:
    await base.detect(PHOTO, photo_of("anna", "bob"))
    between = Box(110.0, 50.0, 60.0, 60.0)
    with pytest.raises(NoFacesDetected):
        await base.add_face.by_box("IMG_1", between, None, None)


@pytest.mark.parametrize(
    "box",
    [
        Box(math.nan, 0, 10, 10),
        Box(0, 0, math.inf, 10),
        Box(0, 0, 0, 10),
        Box(0, 0, 10, -1),
        Box(5000, 0, 10, 10),
        Box(0, -100, 10, 10),
    ],
)
async def test_a_box_that_cannot_be_on_the_photo_is_refused(base: Base, box: Box) -> None:
    await base.detect(PHOTO, photo_of("anna"))
    with pytest.raises(InvalidParameter) as caught:
        await base.add_face.by_box("IMG_1", box, None, None)
    assert caught.value.field == "bbox"


async def test_a_box_means_the_photo_that_was_detected_last(base: Base) -> None:
    await base.enrol(PHOTO, photo_of("anna"))
    await base.detect(PHOTO, photo_of("bob"))
    await base.add_face.by_box("IMG_1", box_of(0), None, None)
    assert await base.found("bob") == ["IMG_1"]
    assert await base.found("anna") == []


async def test_a_box_on_an_unknown_photo_is_not_found(base: Base) -> None:
    with pytest.raises(PhotoNotFound):
        await base.add_face.by_box("IMG_1", box_of(0), None, None)


async def test_a_box_on_a_photo_of_several_collections_needs_one_named(base: Base) -> None:
    for collection in ("one", "two"):
        await base.detect(key("IMG_1", collection), photo_of("anna"))
    with pytest.raises(AmbiguousPhoto) as caught:
        await base.add_face.by_box("IMG_1", box_of(0), None, None)
    assert caught.value.collections == ("one", "two")
    added = await base.add_face.by_box("IMG_1", box_of(0), "two", None)
    assert added.photo == key("IMG_1", "two")


@pytest.mark.parametrize("way", ["face", "box"])
async def test_another_collection_gets_the_photo_with_the_face(base: Base, way: str) -> None:
    anna, bob = await face_ids(base, "anna", "bob")
    if way == "face":
        added = await base.add_face.by_face(bob, "wedding", None)
    else:
        added = await base.add_face.by_box("IMG_1", box_of(1), "wedding", None)
    assert added.created
    assert added.photo == key("IMG_1", "wedding")
    assert added.face.face_id not in (anna, bob)
    assert [match.photo for match in (await base.find("bob")).matches] == [key("IMG_1", "wedding")]
    copy = await base.read.photo("IMG_1", "wedding", None)
    assert [face.state for face in copy.faces] == [FaceState.DETECTED, FaceState.INDEXED]
    assert await base.read.image("IMG_1", "wedding", None) == photo_of("anna", "bob")
    assert (await base.read.photo("IMG_1", "", None)).status is PhotoStatus.DETECTED
    assert base.faces.calls.count("analyze") == 2  # the detection, and the search of this test


async def test_another_collection_gets_the_photo_once(base: Base) -> None:
    anna, bob = await face_ids(base, "anna", "bob")
    first = await base.add_face.by_face(anna, "wedding", None)
    again = await base.add_face.by_face(anna, "wedding", None)
    second = await base.add_face.by_face(bob, "wedding", None)
    assert not again.created
    assert again.face == first.face
    assert second.created
    assert second.face.revision == first.face.revision
    assert await base.photos_stored() == 2


@pytest.mark.parametrize(
    ("allowed", "target"),
    [("two", None), ("two", "two"), ("one", "two")],
    ids=["source is another's", "source is another's, target its own", "target is another's"],
)
async def test_a_key_for_other_collections_adds_nothing(
    base: Base, allowed: str, target: str | None
) -> None:
    detected = await base.detect(key("IMG_1", "one"), photo_of("anna"))
    (face,) = detected.photo.faces
    with pytest.raises(Forbidden):
        await base.add_face.by_face(face.face_id, target, frozenset({allowed}))
    assert await base.found("anna") == []
