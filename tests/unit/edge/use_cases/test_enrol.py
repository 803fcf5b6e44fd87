"""Enrolment: whole or not at all, and idempotent."""

from __future__ import annotations

import asyncio

import pytest

from edge.errors import InferenceUnavailable, InvalidImage
from storage.errors import (
    AlreadyExists,
    EmbeddingSpaceMismatch,
    PhotoNotFound,
    PhotosUnavailable,
    RecordsUnavailable,
    RevisionGone,
    StorageFull,
    VectorsUnavailable,
)
from storage.records.model import FaceState, PhotoStatus
from tests.unit.edge.fakes import OTHER_MODEL, Gate, Steps, failing, photo_of
from tests.unit.edge.use_cases.conftest import EVERY_BASE, Base, key

PHOTO = key("IMG_1")


async def test_every_face_of_an_enrolled_photo_can_be_found(base: Base) -> None:
    enrolment = await base.enrol(PHOTO, photo_of("anna", "bob"))
    assert enrolment.created
    assert enrolment.photo.status is PhotoStatus.INDEXED
    assert [face.state for face in enrolment.photo.faces] == [FaceState.INDEXED] * 2
    assert await base.found("anna") == ["IMG_1"]
    assert await base.found("bob") == ["IMG_1"]
    assert await base.found("carol") == []


async def test_the_bytes_are_kept_as_they_came(base: Base) -> None:
    await base.enrol(PHOTO, photo_of("anna"))
    assert await base.read.image("IMG_1", None, None) == photo_of("anna")


async def test_a_photo_without_faces_is_kept_as_such(base: Base) -> None:
    enrolment = await base.enrol(PHOTO, photo_of())
    assert enrolment.photo.status is PhotoStatus.NO_FACES
    assert await base.faces_stored() == 0


async def test_the_same_bytes_again_change_nothing_and_need_no_inference(base: Base) -> None:
    first = await base.enrol(PHOTO, photo_of("anna"))
    base.faces.errors = [InferenceUnavailable("away")]
    again = await base.enrol(PHOTO, photo_of("anna"))
    assert not again.created
    assert again.photo == first.photo
    assert again.model == first.model
    assert base.faces.calls == ["analyze"]


async def test_lost_bytes_are_written_again(base: Base) -> None:
    first = await base.enrol(PHOTO, photo_of("anna"))
    await base.photos.remove([first.photo.revision.id])
    await base.records.mark_lost(first.photo.revision.id, lost=True)
    again = await base.enrol(PHOTO, photo_of("anna"))
    assert again.created
    assert await base.read.image("IMG_1", None, None) == photo_of("anna")


@EVERY_BASE
async def test_other_bytes_under_a_known_name_replace_the_photo_whole(base: Base) -> None:
    await base.enrol(PHOTO, photo_of("anna", "bob"))
    await base.enrol(PHOTO, photo_of("carol"))
    assert await base.found("anna") == []
    assert await base.found("bob") == []
    assert await base.found("carol") == ["IMG_1"]
    await base.sweep.once()
    assert await base.faces_stored() == 1
    assert await base.photos_stored() == 1


async def test_a_photo_that_is_there_is_refused_before_inference_if_it_must_not_be_replaced(
    base: Base,
) -> None:
    await base.enrol(PHOTO, photo_of("anna"))
    with pytest.raises(AlreadyExists):
        await base.enrol(PHOTO, photo_of("bob"), replace=False)
    assert base.faces.calls == ["analyze"]
    assert await base.found("anna") == ["IMG_1"]


@EVERY_BASE
async def test_of_two_that_must_not_replace_the_later_one_is_refused(base: Base) -> None:
    base.faces.on_analyze = gate = Gate()
    late = asyncio.create_task(base.enrol(PHOTO, photo_of("bob"), replace=False))
    await gate.reached.wait()
    base.faces.on_analyze = None
    await base.enrol(PHOTO, photo_of("anna"), replace=False)
    gate.open()
    with pytest.raises(AlreadyExists):
        await late
    assert await base.found("anna") == ["IMG_1"]
    assert await base.found("bob") == []


@EVERY_BASE
async def test_the_same_enrolment_twenty_times_at_once_is_one_photo_with_its_faces_once(
    base: Base,
) -> None:
    all_there = asyncio.Barrier(20)

    async def together() -> None:
        await all_there.wait()

    base.faces.on_analyze = together
    image = photo_of("anna", "bob")
    enrolments = await asyncio.gather(*(base.enrol(PHOTO, image) for _ in range(20)))
    base.faces.on_analyze = None
    assert sum(enrolment.created for enrolment in enrolments) == 1
    assert len({enrolment.photo.revision.id for enrolment in enrolments}) == 1
    assert await base.found("anna") == ["IMG_1"]
    await base.sweep.once()
    assert await base.faces_stored() == 2
    assert await base.photos_stored() == 1


@EVERY_BASE
async def test_of_two_photos_for_one_name_at_once_one_is_there_whole(base: Base) -> None:
    both_there = asyncio.Barrier(2)

    async def together() -> None:
        await both_there.wait()

    base.faces.on_analyze = together
    await asyncio.gather(
        base.enrol(PHOTO, photo_of("anna", "bob")), base.enrol(PHOTO, photo_of("carol", "dave"))
    )
    base.faces.on_analyze = None
    found = [bool(await base.found(person)) for person in ("anna", "bob", "carol", "dave")]
    assert found in ([True, True, False, False], [False, False, True, True])
    image = await base.read.image("IMG_1", None, None)
    assert image == (photo_of("anna", "bob") if found[0] else photo_of("carol", "dave"))


@EVERY_BASE
async def test_a_removal_during_an_enrolment_leaves_nothing_of_it(base: Base) -> None:
    base.vector_steps.after["add"] = gate = Gate()
    enrolling = asyncio.create_task(base.enrol(PHOTO, photo_of("anna")))
    await gate.reached.wait()
    with pytest.raises(PhotoNotFound):  # nobody has seen it yet
        await base.remove.one("IMG_1", "", None)
    gate.open()
    with pytest.raises(RevisionGone):
        await enrolling
    assert await base.found("anna") == []
    await base.sweep.once()
    assert await base.faces_stored() == 0
    assert await base.photos_stored() == 0


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("begin", RecordsUnavailable("away")),
        ("put", StorageFull("no room")),
        ("put", PhotosUnavailable("away")),
        ("analyze", InferenceUnavailable("away")),
        ("add", VectorsUnavailable("away")),
        ("commit_live", RecordsUnavailable("away")),
    ],
)
async def test_whatever_fails_on_the_way_the_former_photo_stays_and_nothing_else(
    base: Base, step: str, error: Exception
) -> None:
    await base.enrol(PHOTO, photo_of("anna"))
    if step == "analyze":
        base.faces.errors = [error]
    else:
        steps_with(base, step).before[step] = failing(error)
    with pytest.raises(type(error)):
        await base.enrol(PHOTO, photo_of("bob"))
    base.faces.errors = []
    assert await base.found("anna") == ["IMG_1"]
    assert await base.found("bob") == []
    await base.sweep.once()
    assert await base.faces_stored() == 1
    assert await base.photos_stored() == 1


@EVERY_BASE
@pytest.mark.parametrize("step", ["begin", "put", "analyze", "add", "commit_live"])
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_client_that_goes_away_leaves_no_trace_or_a_finished_photo(
    base: Base, step: str, moment: str
) -> None:
    gate = Gate()
    if step == "analyze":
        base.faces.on_analyze = gate
    else:
        getattr(steps_with(base, step), moment)[step] = gate
    enrolling = asyncio.create_task(base.enrol(PHOTO, photo_of("anna")))
    await gate.reached.wait()
    enrolling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await enrolling
    base.faces.on_analyze = None

    is_committed = (step, moment) == ("commit_live", "after")
    assert await base.found("anna") == (["IMG_1"] if is_committed else [])
    # A revision whose client went during `begin` has no name yet: it expires by itself.
    if (step, moment) == ("begin", "after"):
        await base.records.expire(pending_seconds=0.0, staged_seconds=3600.0)
    await base.sweep.once()
    assert await base.faces_stored() == int(is_committed)
    assert await base.photos_stored() == int(is_committed)
    assert await base.records.garbage(10) == []


async def test_an_image_that_cannot_be_read_leaves_nothing(base: Base) -> None:
    with pytest.raises(InvalidImage):
        await base.enrol(PHOTO, b"GIF89a")
    with pytest.raises(PhotoNotFound):
        await base.read.photo("IMG_1", None, None)
    await base.sweep.once()
    assert await base.photos_stored() == 0


async def test_a_failing_discard_does_not_hide_the_reason(base: Base) -> None:
    base.faces.errors = [InferenceUnavailable("away")]
    base.record_steps.before["discard"] = failing(RecordsUnavailable("away too"))
    with pytest.raises(InferenceUnavailable):
        await base.enrol(PHOTO, photo_of("anna"))


async def test_the_next_sweep_discards_what_could_not_be(base: Base) -> None:
    base.faces.errors = [InferenceUnavailable("away")]
    base.record_steps.before["discard"] = failing(RecordsUnavailable("away too"))
    with pytest.raises(InferenceUnavailable):
        await base.enrol(PHOTO, photo_of("anna"))
    del base.record_steps.before["discard"]

    await base.sweep.once()

    assert await base.photos_stored() == 0


async def test_faces_of_another_model_are_refused_while_the_base_holds_any(base: Base) -> None:
    await base.enrol(PHOTO, photo_of("anna"))
    base.faces.loaded = OTHER_MODEL
    with pytest.raises(EmbeddingSpaceMismatch, match="fake"):
        await base.enrol(key("IMG_2"), photo_of("bob"))
    await base.remove.all(None)
    await base.enrol(key("IMG_2"), photo_of("bob"))
    active = [space.id for space in await base.records.spaces() if space.state == "active"]
    assert active == [OTHER_MODEL.space_id]


def steps_with(base: Base, step: str) -> Steps:
    """The port that this step of the enrolment goes to."""
    return {
        "begin": base.record_steps,
        "put": base.photo_steps,
        "add": base.vector_steps,
        "commit_live": base.record_steps,
    }[step]
