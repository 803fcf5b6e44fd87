"""Another pack for a base that is searched and written to meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from edge.errors import InferenceUnavailable, InvalidImage
from edge.use_cases.drop_space import DropSpace, NoSuchSpace
from edge.use_cases.embed_again import EmbedAgain, Pace
from edge.use_cases.enrol import EnrolPhoto
from edge.use_cases.reindex import CannotReindex, ReindexBase, ReindexReport
from edge.use_cases.search import SearchPhotos
from edge.use_cases.second_space import SecondSpace
from edge.use_cases.spaces import Spaces
from edge.use_cases.two_packs import TwoPacks
from storage.errors import SpaceInUse, VectorsUnavailable
from storage.identity import SpaceId
from storage.records.model import SpaceState
from tests.unit.edge.fakes import DIM, MODEL, OTHER_MODEL, FakeFaceAnalyzer, failing, photo_of
from tests.unit.edge.use_cases.conftest import EVERY_BASE, Base, key

NEW_MODEL = replace(OTHER_MODEL, dim=2 * DIM)
TARGET = "new:50051"


class Edge:
    """The use cases of an edge that knows both packs."""

    def __init__(self, base: Base, new: FakeFaceAnalyzer) -> None:
        self.base = base
        self.new = new
        self.spaces = Spaces(base.vectors, base.records)
        self.connected: list[str] = []
        self.packs = TwoPacks(base.faces, self._connect, self.spaces)
        second = SecondSpace(self.packs, base.vectors, self.spaces)
        stores = (self.packs, base.vectors, base.records)
        base.enrol = EnrolPhoto(
            *stores, base.photos, sweep=base.sweep, spaces=self.spaces, second=second
        )
        base.search = SearchPhotos(*stores, spaces=self.spaces)
        self.reindexing = ReindexBase(
            base.vectors,
            base.records,
            EmbedAgain(base.vectors, base.records, base.photos),
            self.spaces,
        )

    def _connect(self, target: str) -> FakeFaceAnalyzer:
        self.connected.append(target)
        return self.new

    async def reindex(self) -> ReindexReport:
        return await self.reindexing(
            self.new, TARGET, pace=Pace(), progress=lambda _done, _total: None
        )


@pytest.fixture
def edge(base: Base) -> Edge:
    return Edge(base, FakeFaceAnalyzer(loaded=NEW_MODEL))


async def fill(base: Base) -> None:
    await base.enrol(key("1"), photo_of("anna", "ben"))
    await base.enrol(key("2"), photo_of("anna", shot=2))
    await base.enrol(key("3"), photo_of("carl"))


async def face_ids(base: Base) -> list[str]:
    photos = [await base.records.photo(key(photo)) for photo in ("1", "2", "3")]
    return [face.face_id for photo in photos if photo is not None for face in photo.faces]


@EVERY_BASE
async def test_a_base_changes_its_pack_and_keeps_its_faces(base: Base, edge: Edge) -> None:
    await fill(base)
    before = await face_ids(base)
    report = await edge.reindex()
    assert (report.faces, report.embedded, report.left_out, report.rounds) == (4, 4, 0, 1)
    assert (report.former, report.present) == (MODEL, NEW_MODEL)
    assert await face_ids(base) == before
    assert sorted(await base.found("anna")) == ["1", "2"]
    assert edge.new.calls[-1] == "analyze"  # the selfie was read by the new pack
    assert await base.vectors.count(MODEL.space_id) == 4  # kept until it is dropped
    assert await base.vectors.count(NEW_MODEL.space_id) == 4


async def test_searches_go_to_the_former_pack_until_the_change(base: Base, edge: Edge) -> None:
    await fill(base)
    found: list[list[str]] = []

    async def search() -> None:
        found.append(sorted(await base.found("anna")))

    base.vector_steps.before["add"] = search
    base.record_steps.before["activate_filled"] = search
    await edge.reindex()
    base.vector_steps.before.clear()
    await search()
    assert len(found) >= 4
    assert all(each == ["1", "2"] for each in found)


async def test_what_is_enrolled_meanwhile_is_in_both_spaces(base: Base, edge: Edge) -> None:
    await fill(base)
    enrolled: list[str] = []

    async def enrol() -> None:
        base.vector_steps.before.clear()
        await edge.spaces.active()  # as the edge does every two seconds
        await base.enrol(key("late"), photo_of("dora"))
        enrolled.append("late")

    base.vector_steps.before["add"] = enrol
    report = await edge.reindex()
    assert enrolled == ["late"]
    assert report.rounds == 1
    assert await base.vectors.count(MODEL.space_id) == 5
    assert await base.found("dora") == ["late"]


async def test_what_comes_in_behind_is_fetched_before_the_change(base: Base, edge: Edge) -> None:
    await fill(base)

    async def enrol() -> None:
        base.record_steps.before.clear()
        other = EnrolPhoto(base.faces, base.vectors, base.records, base.photos)
        await other(key("late"), photo_of("dora"))  # by an edge that knows of no second pack yet

    base.record_steps.before["activate_filled"] = enrol
    report = await edge.reindex()
    assert (report.rounds, report.faces, report.embedded) == (2, 5, 5)
    assert await base.found("dora") == ["late"]


async def test_an_enrolment_succeeds_though_the_second_pack_is_away(base: Base, edge: Edge) -> None:
    await fill(base)

    async def enrol() -> None:
        base.vector_steps.before.clear()
        await edge.spaces.active()
        edge.new.errors.append(InferenceUnavailable("gone"))
        await base.enrol(key("late"), photo_of("dora"))

    base.vector_steps.before["add"] = enrol
    report = await edge.reindex()
    assert report.rounds == 2
    assert await base.found("dora") == ["late"]


async def test_what_was_begun_with_the_former_pack_is_finished_with_the_new_one(
    base: Base, edge: Edge
) -> None:
    await fill(base)

    async def change() -> None:
        base.record_steps.before.clear()
        await edge.reindex()

    base.record_steps.before["commit_live"] = change
    done = await base.enrol(key("late"), photo_of("dora"))
    assert done.created
    assert done.model == NEW_MODEL
    assert await base.found("dora") == ["late"]


async def test_a_selfie_that_was_read_by_the_former_pack_is_read_again(
    base: Base, edge: Edge
) -> None:
    await fill(base)
    assert sorted(await base.found("anna")) == ["1", "2"]  # and the probe is remembered
    await edge.reindex()
    assert sorted(await base.found("anna")) == ["1", "2"]


async def test_a_reindex_that_was_stopped_goes_on_where_it_was(base: Base, edge: Edge) -> None:
    await fill(base)
    base.vector_steps.after["add"] = failing(VectorsUnavailable("gone"))
    with pytest.raises(VectorsUnavailable):
        await edge.reindex()
    base.vector_steps.after.clear()
    there = await base.vectors.count(NEW_MODEL.space_id)
    assert there > 0
    assert sorted(await base.found("anna")) == ["1", "2"]
    report = await edge.reindex()
    assert report.embedded == 4 - there
    assert sorted(await base.found("anna")) == ["1", "2"]


async def test_photos_that_cannot_be_read_are_left_out_and_counted(base: Base, edge: Edge) -> None:
    await fill(base)
    edge.new.errors.append(InvalidImage("damaged"))
    report = await edge.reindex()
    assert report.left_out + report.embedded == 4
    assert report.left_out in (1, 2)


async def test_what_makes_no_sense_is_refused_before_it_starts(base: Base, edge: Edge) -> None:
    with pytest.raises(CannotReindex, match="nothing was ever indexed"):
        await edge.reindex()
    await fill(base)
    edge.new.loaded = MODEL
    with pytest.raises(CannotReindex, match="of this pack already"):
        await edge.reindex()
    edge.new.loaded = NEW_MODEL
    full = ReindexBase(
        base.vectors,
        base.records,
        EmbedAgain(base.vectors, base.records, base.photos),
        edge.spaces,
        free_bytes=lambda: 10 * 2**20,
    )
    with pytest.raises(CannotReindex, match="10 MB are free"):
        await full(edge.new, TARGET, pace=Pace(), progress=lambda _done, _total: None)
    assert [space.id for space in await base.records.spaces()] == [MODEL.space_id]


async def test_the_next_change_waits_for_the_last_one(base: Base, edge: Edge) -> None:
    await fill(base)
    await edge.reindex()
    edge.new.loaded = replace(NEW_MODEL, pack="third", space_id=SpaceId("s_third"))
    with pytest.raises(CannotReindex, match="not finished"):
        await edge.reindex()


async def test_a_space_is_dropped_once_the_change_is_done(base: Base, edge: Edge) -> None:
    await fill(base)
    await edge.reindex()
    drop = DropSpace(base.vectors, base.records)
    with pytest.raises(SpaceInUse, match="is what is searched"):
        await drop(NEW_MODEL.space_id)
    with pytest.raises(SpaceInUse, match="not finished"):
        await drop(MODEL.space_id)
    await base.records.set_space_target(NEW_MODEL.space_id, None)
    base.faces.loaded = NEW_MODEL
    assert (await drop(MODEL.space_id)).vectors == 4
    with pytest.raises(NoSuchSpace):
        await drop(MODEL.space_id)
    assert await base.vectors.spaces() == [NEW_MODEL.space_id]
    assert sorted(await base.found("anna")) == ["1", "2"]
    (row,) = await base.records.spaces()
    assert row.state is SpaceState.ACTIVE


async def test_the_server_that_the_records_name_is_followed(base: Base, edge: Edge) -> None:
    await fill(base)
    await edge.reindex()
    assert sorted(await base.found("anna")) == ["1", "2"]
    assert edge.connected == [TARGET]
    await base.records.set_space_target(NEW_MODEL.space_id, "moved:1")
    await edge.spaces.active()
    assert sorted(await base.found("carl")) == ["3"]
    assert edge.connected == [TARGET, "moved:1"]


async def test_the_servers_of_the_settings_take_over(base: Base, edge: Edge) -> None:
    await fill(base)
    await edge.reindex()
    assert sorted(await base.found("anna")) == ["1", "2"]
    base.faces.loaded = NEW_MODEL  # rolled to the new pack
    edge.new.errors.extend(InferenceUnavailable("stopped") for _ in range(9))
    assert sorted(await base.found("ben")) == ["1"]
    asked = len(edge.new.calls)
    assert sorted(await base.found("carl")) == ["3"]
    assert len(edge.new.calls) == asked  # and the second is not missed any more


async def test_two_searches_at_the_moment_of_change_both_answer(base: Base, edge: Edge) -> None:
    await fill(base)
    searches: list[asyncio.Task[list[str]]] = []

    async def search() -> None:
        searches.append(asyncio.create_task(base.found("anna")))
        await asyncio.sleep(0)

    base.record_steps.before["activate_filled"] = search
    base.record_steps.after["activate_filled"] = search
    await edge.reindex()
    assert [sorted(await each) for each in searches] == [["1", "2"]] * 2
