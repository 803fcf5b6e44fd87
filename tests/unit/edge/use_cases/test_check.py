"""The check compares three stores; the repair makes them agree."""

from __future__ import annotations

import pytest

from edge.errors import InferenceUnavailable
from edge.use_cases.check import CheckBase, CheckReport
from edge.use_cases.model import Model
from storage.identity import FaceId, RevisionId
from storage.records.model import PhotoFilter, PhotoStatus, Space, SpaceState
from storage.vectors.port import FaceVector
from tests.unit.edge.fakes import MODEL, OTHER_MODEL, embedding_of, photo_of
from tests.unit.edge.use_cases.conftest import Base, key

STRANGER = RevisionId("0" * 26)


class Progress:
    """What the check said about how far it is."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int | None]] = []

    def __call__(self, done: int, total: int | None) -> None:
        self.told.append((done, total))


async def check(base: Base, *, repair: bool = False) -> CheckReport:
    run = CheckBase(base.faces, base.vectors, base.records, base.photos)
    return await run(repair=repair, progress=Progress())


def space_of(model: Model) -> Space:
    return Space(model.space_id, model.pack, model.version, model.dim, SpaceState.FILLING)


async def lose_vectors(base: Base) -> None:
    """As a crash that takes the end of the vector store's log."""
    for page in [page async for page in base.records.live_revisions()]:
        await base.vectors.remove_revisions([revision.id for revision in page])


async def test_a_base_that_was_used_in_every_way_is_clean(base: Base) -> None:
    await base.enrol(key("a"), photo_of("anna", "bob"))
    await base.enrol(key("a"), photo_of("anna"))
    await base.enrol(key("b"), photo_of())
    await base.detect(key("c"), photo_of("carol"))
    await base.enrol(key("d"), photo_of("dave"))
    await base.remove.one("d", None, None)
    base.faces.errors = [InferenceUnavailable("away")]
    with pytest.raises(InferenceUnavailable):
        await base.enrol(key("e"), photo_of("eve"))

    report = await check(base)
    assert report.is_clean
    assert (report.photos, report.faces) == (3, 1)


async def test_an_empty_base_is_clean(base: Base) -> None:
    assert (await check(base)).is_clean


async def test_a_missing_vector_is_found_and_made_again(base: Base) -> None:
    await base.enrol(key("a"), photo_of("anna", "bob"))
    await lose_vectors(base)
    assert await base.found("anna") == []

    found = await check(base)
    assert (found.vectors_missing, found.vectors_restored, found.remaining) == (2, 0, 2)
    assert await base.found("anna") == []

    repaired = await check(base, repair=True)
    assert (repaired.vectors_missing, repaired.vectors_restored, repaired.remaining) == (2, 2, 0)
    assert await base.found("anna") == ["a"]
    assert await base.found("bob") == ["a"]
    assert (await check(base)).is_clean


async def test_vectors_cannot_be_made_while_inference_is_away(base: Base) -> None:
    await base.enrol(key("a"), photo_of("anna"))
    await lose_vectors(base)
    base.faces.errors = [InferenceUnavailable("away")]
    with pytest.raises(InferenceUnavailable):
        await check(base, repair=True)


async def test_another_model_makes_no_vectors_for_the_base_and_is_named(base: Base) -> None:
    await base.enrol(key("a"), photo_of("anna"))
    await lose_vectors(base)
    base.faces.loaded = OTHER_MODEL
    report = await check(base, repair=True)
    assert (report.vectors_missing, report.vectors_restored) == (1, 0)
    assert report.other_model is not None
    assert "other" in report.other_model
    assert report.remaining == 2


async def test_lost_bytes_are_noted_and_the_photo_is_listed_as_failed(base: Base) -> None:
    enrolment = await base.enrol(key("a"), photo_of("anna"))
    await base.photos.remove([enrolment.photo.revision.id])
    report = await check(base)
    assert report.bytes_missing == 1
    listing = await base.read.list(PhotoFilter(), None, 10)
    assert [item.status for item in listing.items] == [PhotoStatus.FAILED]


async def test_bytes_that_are_back_are_noted_too(base: Base) -> None:
    enrolment = await base.enrol(key("a"), photo_of("anna"))
    revision = enrolment.photo.revision.id
    await base.photos.remove([revision])
    await check(base)
    await base.photos.put(revision, photo_of("anna"))
    assert (await check(base)).is_clean
    photo = await base.read.photo("a", None, None)
    assert photo.status is PhotoStatus.INDEXED


async def test_without_bytes_a_vector_cannot_be_made_again(base: Base) -> None:
    enrolment = await base.enrol(key("a"), photo_of("anna"))
    await base.photos.remove([enrolment.photo.revision.id])
    await lose_vectors(base)
    report = await check(base, repair=True)
    assert (report.vectors_missing, report.vectors_restored) == (1, 0)
    assert report.remaining == 2


async def test_what_no_record_names_is_found_and_removed_on_repair(base: Base) -> None:
    await base.enrol(key("a"), photo_of("anna"))
    await base.photos.put(STRANGER, b"left over")
    ghost = FaceVector(FaceId(f"f_{STRANGER}_0"), key("ghost"), STRANGER, embedding_of("eve"))
    await base.vectors.add(MODEL.space_id, [ghost])

    found = await check(base)
    assert (found.bytes_unnamed, found.vectors_unnamed, found.remaining) == (1, 1, 2)
    assert await base.photos_stored() == 2

    repaired = await check(base, repair=True)
    assert repaired.remaining == 0
    assert not repaired.is_clean
    assert (await base.photos_stored(), await base.faces_stored()) == (1, 1)
    assert (await check(base)).is_clean


async def test_a_photo_being_written_is_no_problem(base: Base) -> None:
    revision = await base.records.begin(key("a"), "0" * 64, 1)
    await base.photos.put(revision.id, b"x")
    assert (await check(base, repair=True)).is_clean
    assert await base.photos.get(revision.id) == b"x"


async def test_a_photo_removed_while_the_check_runs_misses_nothing(base: Base) -> None:
    await base.enrol(key("a"), photo_of("anna"))
    lost = []

    async def remove_it() -> None:
        base.vector_steps.before.clear()
        await base.remove.one("a", None, None)
        lost.append(await base.sweep.once())

    base.vector_steps.before["fetch"] = remove_it
    report = await check(base)
    assert lost[0].collected == 1
    assert report.vectors_missing == 0


async def test_faces_in_a_space_that_is_not_searched_are_counted(base: Base) -> None:
    await base.enrol(key("a"), photo_of("anna"))
    await base.records.add_space(space_of(OTHER_MODEL))
    await base.records.set_space_state(OTHER_MODEL.space_id, SpaceState.ACTIVE)
    base.faces.loaded = OTHER_MODEL
    assert (await check(base)).faces_elsewhere == 1


async def test_the_progress_never_runs_backwards_and_ends_at_the_end(base: Base) -> None:
    for number in range(5):
        await base.enrol(key(f"p{number}"), photo_of("anna", "bob", shot=number))
    progress = Progress()
    run = CheckBase(base.faces, base.vectors, base.records, base.photos)
    report = await run(repair=False, progress=progress)
    done = [done for done, _ in progress.told]
    assert done == sorted(done)
    assert progress.told[-1] == (30, 30)
    assert report.as_json()["is_clean"] is True
