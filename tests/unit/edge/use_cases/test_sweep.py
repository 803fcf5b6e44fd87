"""The sweep collects what no record shows, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from edge.errors import InferenceUnavailable
from edge.use_cases.add_face import AddFace
from edge.use_cases.enrol import EnrolPhoto
from edge.use_cases.sweep import SWEEP_LEASE, Sweep, SweepReport, SweepSettings
from storage.errors import (
    FaceNotFound,
    PhotosUnavailable,
    RecordsUnavailable,
    RevisionGone,
    VectorsUnavailable,
)
from storage.identity import FaceId, RevisionId
from storage.photos.memory import MemoryPhotoStore
from storage.records.memory import MemoryRecordStore
from storage.vectors.memory import MemoryVectorStore
from storage.vectors.port import FaceVector
from tests.unit.edge.fakes import MODEL, embedding_of, failing, photo_of
from tests.unit.edge.use_cases.conftest import Base, key

STRANGER = RevisionId("0" * 26)


async def replaced_photo(base: Base) -> None:
    await base.enrol(key("IMG_1"), photo_of("anna"))
    await base.enrol(key("IMG_1"), photo_of("bob"))


async def test_what_was_replaced_is_collected_and_what_replaced_it_stays(base: Base) -> None:
    await replaced_photo(base)
    assert (await base.sweep.once()).collected == 1
    assert (await base.faces_stored(), await base.photos_stored()) == (1, 1)
    assert await base.found("bob") == ["IMG_1"]
    assert await base.sweep.once() == SweepReport()


async def test_garbage_is_collected_in_chunks_until_none_is_left(base: Base) -> None:
    sweep = Sweep(base.records, base.vectors, base.photos, SweepSettings(chunk=2))
    for number in range(5):
        await base.enrol(key(f"p{number}"), photo_of("anna", shot=number))
    await base.remove.all(None)
    assert (await sweep.once()).collected == 5
    assert await base.photos_stored() == 0


@pytest.mark.parametrize(
    ("store", "step", "error"),
    [
        ("vector_steps", "remove_revisions", VectorsUnavailable("away")),
        ("photo_steps", "remove", PhotosUnavailable("away")),
        ("record_steps", "forget", RecordsUnavailable("away")),
        ("record_steps", "take_lease", RecordsUnavailable("away")),
        ("record_steps", "drop_lease", RecordsUnavailable("away")),
        ("vector_steps", "remove_revisions", ZeroDivisionError()),
    ],
)
async def test_a_store_that_is_away_is_reported_and_its_garbage_collected_later(
    base: Base, store: str, step: str, error: Exception
) -> None:
    await replaced_photo(base)
    steps = getattr(base, store)
    steps.before[step] = failing(error)
    expected = "internal" if isinstance(error, ZeroDivisionError) else type(error).__name__
    assert (await base.sweep.once()).failure == expected
    steps.before.clear()
    assert (await base.sweep.once()).failure is None
    assert (await base.faces_stored(), await base.photos_stored()) == (1, 1)
    assert await base.records.garbage(10) == []


async def test_only_one_of_two_sweeps_works(base: Base) -> None:
    await replaced_photo(base)
    assert await base.records.take_lease(SWEEP_LEASE, "another edge", 60.0)
    assert await base.sweep.once() == SweepReport()
    assert await base.photos_stored() == 2
    await base.records.drop_lease(SWEEP_LEASE, "another edge")
    assert (await base.sweep.once()).collected == 1


async def test_the_lease_is_given_back(base: Base) -> None:
    await base.sweep.once()
    assert not await base.records.lease_held(SWEEP_LEASE)


async def test_bytes_and_vectors_that_no_row_names_are_collected(base: Base) -> None:
    await base.enrol(key("IMG_1"), photo_of("anna"))
    await base.photos.put(STRANGER, b"left over")
    other = RevisionId("1" * 26)
    ghost = FaceVector(FaceId(f"f_{other}_0"), key("ghost"), other, embedding_of("eve"))
    await base.vectors.add(MODEL.space_id, [ghost])
    assert (await base.sweep.once()).orphans == 2
    assert (await base.faces_stored(), await base.photos_stored()) == (1, 1)


async def test_what_is_being_written_is_left_alone(base: Base) -> None:
    revision = await base.records.begin(key("IMG_1"), "0" * 64, 1)
    await base.photos.put(revision.id, b"x")
    await base.sweep.once()
    assert await base.photos.get(revision.id) == b"x"


async def test_vectors_that_land_after_their_row_was_collected_are_collected_too(
    base: Base,
) -> None:
    """An addition that timed out at the engine and is carried out later."""
    await base.enrol(key("IMG_0"), photo_of("zoe"))
    base.vector_steps.before["add"] = failing(VectorsUnavailable("timed out"))
    with pytest.raises(VectorsUnavailable):
        await base.enrol(key("IMG_1"), photo_of("anna"))
    (late,) = await base.records.garbage(10)
    await base.sweep.once()
    base.vector_steps.before.clear()
    row = FaceVector(FaceId(f"f_{late}_0"), key("IMG_1"), late, embedding_of("anna"))
    await base.vectors.add(MODEL.space_id, [row])
    assert await base.found("anna") == []
    await base.sweep.once()
    assert await base.faces_stored() == 1


@pytest.mark.parametrize("way", ["enrol", "add_face"])
async def test_what_a_writer_wrote_after_its_row_was_collected_is_collected_soon(
    base: Base, way: str
) -> None:
    """A removal in the middle of a write, and a sweep before its vectors."""
    stores = (base.vectors, base.records, base.photos)
    sweep = Sweep(base.records, base.vectors, base.photos)  # its next look at everything: in 1 h
    await base.enrol(key("IMG_0"), photo_of("zoe"))
    detected = await base.detect(key("IMG_1"), photo_of("anna"))

    async def remove_and_sweep() -> None:
        await base.records.remove_photo(key("IMG_1"))
        assert (await sweep.once()).collected >= 1

    base.vector_steps.before["add"] = remove_and_sweep
    enrol = EnrolPhoto(base.faces, *stores, sweep=sweep)
    add_face = AddFace(base.faces, *stores, sweep=sweep)
    if way == "enrol":
        with pytest.raises(RevisionGone):
            await enrol(key("IMG_1"), photo_of("bob"))
    else:
        with pytest.raises(FaceNotFound):
            await add_face.by_face(detected.photo.faces[0].face_id, None, None)
    assert await base.faces_stored() == 2
    assert (await sweep.once()).orphans == 1
    assert await base.faces_stored() == await base.photos_stored() == 1


async def test_a_writer_that_died_is_given_up_after_a_while_and_a_slow_one_is_not() -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    records = MemoryRecordStore(lambda: now)
    settings = SweepSettings(pending_seconds=60.0, staged_seconds=3600.0)
    sweep = Sweep(records, MemoryVectorStore(), MemoryPhotoStore(), settings)
    await records.begin(key("IMG_1"), "0" * 64, 1)
    now += timedelta(seconds=59)
    assert (await sweep.once()).expired == 0
    now += timedelta(seconds=1)
    report = await sweep.once()
    assert (report.expired, report.collected) == (1, 1)


async def test_a_sweep_that_is_asked_for_runs_soon_and_many_requests_make_one(base: Base) -> None:
    reports: list[SweepReport] = []
    done = asyncio.Event()

    def report_to(report: SweepReport) -> None:
        reports.append(report)
        done.set()

    settings = SweepSettings(interval_seconds=3600.0, debounce_seconds=3600.0)
    sweep = Sweep(base.records, base.vectors, base.photos, settings, report_to=report_to)
    running = asyncio.create_task(sweep.run())
    await replaced_photo(base)
    for _ in range(10):
        sweep.soon()
    async with asyncio.timeout(10):
        await done.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert [report.collected for report in reports] == [1]


async def test_a_sweep_ends_when_cancelled_though_its_lease_cannot_be_given_back(
    base: Base,
) -> None:
    collecting = asyncio.Event()

    async def wait() -> None:
        collecting.set()
        await asyncio.Event().wait()

    await replaced_photo(base)
    base.record_steps.before["expire"] = wait
    base.record_steps.before["drop_lease"] = failing(RecordsUnavailable("away"))
    running = asyncio.create_task(base.sweep.run())
    base.sweep.soon()
    async with asyncio.timeout(10):
        await collecting.wait()
    running.cancel()
    _, going_on = await asyncio.wait({running}, timeout=2)
    for task in going_on:
        task.cancel()
    assert not going_on


async def test_what_leaves_garbage_asks_for_a_sweep_and_what_does_not_does_not(
    base: Base,
) -> None:
    asked: list[str] = []
    base.sweep.soon = lambda: asked.append("soon")  # type: ignore[method-assign]  # a spy
    await base.enrol(key("IMG_1"), photo_of("anna"))
    assert len(asked) == 0
    await base.enrol(key("IMG_1"), photo_of("bob"))
    assert len(asked) == 1
    base.faces.errors = [InferenceUnavailable("away")]
    with pytest.raises(InferenceUnavailable):
        await base.enrol(key("IMG_2"), photo_of("bob"))
    assert len(asked) == 2
    detected = await base.detect(key("IMG_1"), photo_of("carol"))
    await base.add_face.by_face(detected.photo.faces[0].face_id, None, None)
    assert len(asked) == 3
    await base.remove.one("IMG_1", None, None)
    assert len(asked) == 4
