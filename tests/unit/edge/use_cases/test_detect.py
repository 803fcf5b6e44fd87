"""Detection keeps a photo beside what is indexed."""

from __future__ import annotations

import pytest

from edge.errors import InferenceUnavailable
from storage.errors import PhotoNotFound
from storage.records.model import FaceState, PhotoFilter, PhotoStatus
from tests.unit.edge.fakes import photo_of
from tests.unit.edge.use_cases.conftest import Base, key

PHOTO = key("IMG_1")


async def test_a_detected_photo_is_kept_with_its_faces_and_not_found(base: Base) -> None:
    detected = await base.detect(PHOTO, photo_of("anna", "bob"))
    assert detected.created
    assert detected.photo.status is PhotoStatus.DETECTED
    assert [face.state for face in detected.photo.faces] == [FaceState.DETECTED] * 2
    assert await base.read.image("IMG_1", None, None) == photo_of("anna", "bob")
    assert await base.found("anna") == []


async def test_the_same_bytes_again_give_the_same_face_ids_without_another_look(
    base: Base,
) -> None:
    first = await base.detect(PHOTO, photo_of("anna"))
    again = await base.detect(PHOTO, photo_of("anna"))
    assert not again.created
    assert [face.face_id for face in again.photo.faces] == [
        face.face_id for face in first.photo.faces
    ]
    assert base.faces.calls == ["analyze"]


async def test_an_indexed_photo_is_answered_from_the_records_with_inference_away(
    base: Base,
) -> None:
    enrolled = await base.enrol(PHOTO, photo_of("anna"))
    base.faces.errors = [InferenceUnavailable("away")]
    detected = await base.detect(PHOTO, photo_of("anna"))
    assert detected.photo == enrolled.photo
    assert detected.model == enrolled.model


async def test_other_bytes_are_staged_and_the_indexed_photo_stays(base: Base) -> None:
    await base.enrol(PHOTO, photo_of("anna"))
    detected = await base.detect(PHOTO, photo_of("bob"))
    assert detected.created
    assert await base.found("anna") == ["IMG_1"]
    assert await base.read.image("IMG_1", None, None) == photo_of("anna")


async def test_a_photo_without_faces_is_listed_and_kept_until_it_is_removed(base: Base) -> None:
    await base.detect(PHOTO, photo_of())
    await base.detect(key("IMG_2"), photo_of("anna"))
    await base.records.expire(pending_seconds=0.0, staged_seconds=0.0)
    listing = await base.read.list(PhotoFilter(), None, 10)
    assert [(item.photo.photo_id, item.status) for item in listing.items] == [
        ("IMG_1", PhotoStatus.NO_FACES)
    ]
    await base.remove.one("IMG_1", None, None)
    with pytest.raises(PhotoNotFound):
        await base.read.photo("IMG_1", None, None)


async def test_a_detection_that_fails_leaves_nothing(base: Base) -> None:
    base.faces.errors = [InferenceUnavailable("away")]
    with pytest.raises(InferenceUnavailable):
        await base.detect(PHOTO, photo_of("anna"))
    await base.sweep.once()
    assert await base.photos_stored() == 0
    assert (await base.read.list(PhotoFilter(), None, 10)).total == 0


async def test_a_preview_keeps_nothing(base: Base) -> None:
    preview = await base.detect.preview(PHOTO, photo_of("anna", "bob"))
    assert len(preview.seen.faces) == 2
    assert base.record_steps.calls == []
    assert base.photo_steps.calls == []
