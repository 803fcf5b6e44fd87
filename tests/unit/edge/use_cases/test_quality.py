"""Poor faces: marked, or kept out of the index, and the same when it is done again."""

from __future__ import annotations

import pytest

from edge.errors import InferenceUnavailable, LowQuality
from edge.use_cases.add_face import AddFace
from edge.use_cases.enrol import EnrolPhoto
from edge.use_cases.quality import EVERY_FACE, LowQualityPolicy, QualityRule
from storage.records.model import FaceState, PhotoStatus, Quality
from tests.unit.edge.fakes import photo_of
from tests.unit.edge.use_cases.conftest import EVERY_BASE, Base, key

PHOTO = key("IMG_1")
REFUSING = QualityRule(0.5, LowQualityPolicy.REFUSE)
MARKING = QualityRule(0.5, LowQualityPolicy.MARK)


def quality(overall: float) -> Quality:
    return Quality(overall=overall, size=40, sharpness=0.2, yaw=0, pitch=0, roll=0)


def enrolling(base: Base, rule: QualityRule) -> EnrolPhoto:
    stores = (base.faces, base.vectors, base.records, base.photos)
    return EnrolPhoto(*stores, quality=rule, sweep=base.sweep)


def adding(base: Base, rule: QualityRule) -> AddFace:
    stores = (base.faces, base.vectors, base.records, base.photos)
    return AddFace(*stores, quality=rule, sweep=base.sweep)


def test_by_default_no_face_is_too_poor() -> None:
    assert not EVERY_FACE.is_low(quality(0.0))
    assert not EVERY_FACE.is_refused(quality(0.0))


def test_a_face_at_the_limit_is_good_enough() -> None:
    assert not REFUSING.is_refused(quality(0.5))
    assert REFUSING.is_refused(quality(0.4999))


def test_a_marked_face_is_not_refused() -> None:
    assert MARKING.is_low(quality(0.1))
    assert not MARKING.is_refused(quality(0.1))
    MARKING.require(quality(0.1))


def test_the_reason_names_both_figures() -> None:
    assert REFUSING.reason(quality(0.4999)).startswith("its quality is 0.500, and 0.5 is asked for")


@EVERY_BASE
async def test_a_refused_face_is_kept_with_the_photo_and_never_found(base: Base) -> None:
    enrolment = await enrolling(base, REFUSING)(PHOTO, photo_of("anna", "poor:bob", "carol"))
    states = [face.state for face in enrolment.photo.faces]
    assert states == [FaceState.INDEXED, FaceState.DETECTED, FaceState.INDEXED]
    assert await base.faces_stored() == 2
    assert await base.found("anna") == await base.found("carol") == ["IMG_1"]
    assert await base.found("bob") == []


@EVERY_BASE
async def test_a_photo_with_refused_faces_only_is_kept_and_no_error(base: Base) -> None:
    enrolment = await enrolling(base, REFUSING)(PHOTO, photo_of("poor:bob"))
    assert enrolment.created
    assert enrolment.photo.status is PhotoStatus.DETECTED
    assert await base.read.image("IMG_1", None, None) == photo_of("poor:bob")
    await base.sweep.once()
    assert (await base.read.photo("IMG_1", None, None)).status is PhotoStatus.DETECTED


@pytest.mark.parametrize("people", [("anna", "poor:bob"), ("poor:bob",)])
async def test_with_refused_faces_too_the_same_bytes_need_no_inference(
    base: Base, people: tuple[str, ...]
) -> None:
    enrol = enrolling(base, REFUSING)
    await enrol(key("IMG_0"), photo_of("dave"))  # some space is active
    first = await enrol(PHOTO, photo_of(*people))
    base.faces.errors = [InferenceUnavailable("away")]
    again = await enrol(PHOTO, photo_of(*people))
    assert not again.created
    assert again.photo == first.photo


@EVERY_BASE
async def test_once_the_limit_is_lifted_the_same_bytes_bring_the_face_in(base: Base) -> None:
    await enrolling(base, REFUSING)(PHOTO, photo_of("anna", "poor:bob"))
    again = await enrolling(base, MARKING)(PHOTO, photo_of("anna", "poor:bob"))
    assert again.created
    assert await base.found("bob") == ["IMG_1"]


@EVERY_BASE
async def test_once_a_limit_is_set_the_same_bytes_take_the_face_out(base: Base) -> None:
    await enrolling(base, EVERY_FACE)(PHOTO, photo_of("anna", "poor:bob"))
    await enrolling(base, REFUSING)(PHOTO, photo_of("anna", "poor:bob"))
    assert await base.found("bob") == []
    await base.sweep.once()
    assert await base.faces_stored() == 1


async def test_a_refused_face_cannot_be_added_by_itself(base: Base) -> None:
    detected = await base.detect(PHOTO, photo_of("anna", "poor:bob"))
    anna, bob = (face.face_id for face in detected.photo.faces)
    add = adding(base, REFUSING)
    with pytest.raises(LowQuality, match=r"0\.100"):
        await add.by_face(bob, None, None)
    assert (await add.by_face(anna, None, None)).created
    assert await base.found("bob") == []


async def test_a_poor_face_that_is_in_the_index_stays_and_goes_nowhere_else(base: Base) -> None:
    enrolment = await base.enrol(PHOTO, photo_of("poor:bob"))
    (bob,) = (face.face_id for face in enrolment.photo.faces)
    add = adding(base, REFUSING)
    assert not (await add.by_face(bob, None, None)).created
    with pytest.raises(LowQuality):
        await add.by_face(bob, "elsewhere", None)
