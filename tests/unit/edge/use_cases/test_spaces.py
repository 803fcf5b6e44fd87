"""One base, one embedding space at a time."""

from __future__ import annotations

import asyncio

import pytest

from edge.use_cases.spaces import Spaces, model_of
from storage.errors import EmbeddingSpaceMismatch, RecordsUnavailable, VectorsUnavailable
from storage.records.model import SpaceState
from tests.unit.edge.fakes import MODEL, OTHER_MODEL, failing, photo_of
from tests.unit.edge.use_cases.conftest import Base, key


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def test_the_first_enrolment_makes_the_models_space_the_active_one(base: Base) -> None:
    spaces = Spaces(base.vectors, base.records)
    assert await spaces.active() is None
    assert not await spaces.for_search(MODEL)
    assert await spaces.for_writing(MODEL) == MODEL.space_id
    active = await spaces.active()
    assert active is not None
    assert model_of(active) == MODEL
    assert await base.vectors.spaces() == [MODEL.space_id]
    assert await spaces.for_search(MODEL)


async def test_a_space_is_asked_for_once_in_a_while_and_opened_once(base: Base) -> None:
    clock = Clock()
    spaces = Spaces(base.vectors, base.records, clock=clock)
    await spaces.for_writing(MODEL)
    base.record_steps.calls.clear()
    await spaces.for_search(MODEL)
    await spaces.for_writing(MODEL)
    assert base.record_steps.calls == []
    clock.seconds = 5.0
    await spaces.for_search(MODEL)
    assert base.record_steps.calls == ["spaces"]
    assert base.vector_steps.calls.count("open_space") == 1


async def test_callers_at_the_same_time_share_one_question(base: Base) -> None:
    spaces = Spaces(base.vectors, base.records)
    await spaces.for_writing(MODEL)
    spaces = Spaces(base.vectors, base.records)
    base.record_steps.calls.clear()

    gone, *stay = (asyncio.create_task(spaces.for_search(MODEL)) for _ in range(5))
    await asyncio.sleep(0)  # all of them have asked
    gone.cancel()

    assert await asyncio.gather(*stay) == [True] * 4
    assert base.record_steps.calls == ["spaces"]


async def test_callers_at_the_same_time_share_a_failure_and_those_after_do_not(base: Base) -> None:
    spaces = Spaces(base.vectors, base.records)
    await base.enrol(key("IMG_1"), photo_of("anna"))
    base.record_steps.before["spaces"] = failing(RecordsUnavailable("away"))

    together = [spaces.for_search(MODEL) for _ in range(3)]
    outcomes = await asyncio.gather(*together, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [RecordsUnavailable] * 3
    base.record_steps.before.clear()
    assert await spaces.for_search(MODEL)


async def test_a_space_that_could_not_be_opened_is_opened_the_next_time(base: Base) -> None:
    spaces = Spaces(base.vectors, base.records)
    base.vector_steps.before["open_space"] = failing(VectorsUnavailable("away"))
    with pytest.raises(VectorsUnavailable):
        await spaces.for_writing(MODEL)
    base.vector_steps.before.clear()
    await spaces.for_writing(MODEL)
    assert await base.vectors.spaces() == [MODEL.space_id]


async def test_the_check_says_which_pack_made_the_base_and_which_one_is_loaded(
    base: Base,
) -> None:
    await base.enrol(key("IMG_1"), photo_of("anna"))
    spaces = Spaces(base.vectors, base.records)
    await spaces.check(MODEL)
    with pytest.raises(EmbeddingSpaceMismatch) as caught:
        await spaces.check(OTHER_MODEL)
    assert "pack fake" in caught.value.found
    assert "pack other" in caught.value.wanted


async def test_a_base_that_was_emptied_can_change_its_pack_and_change_back(base: Base) -> None:
    await base.enrol(key("IMG_1"), photo_of("anna"))
    await base.remove.all(None)
    spaces = Spaces(base.vectors, base.records)
    for model in (OTHER_MODEL, MODEL):
        assert await spaces.for_writing(model) == model.space_id
        states = {space.id: space.state for space in await base.records.spaces()}
        assert states.pop(model.space_id) is SpaceState.ACTIVE
        assert set(states.values()) == {SpaceState.RETIRED}


async def test_nothing_is_trusted_that_the_records_did_not_say(base: Base) -> None:
    spaces = Spaces(base.vectors, base.records)
    base.record_steps.before["spaces"] = failing(RecordsUnavailable("away"))
    with pytest.raises(RecordsUnavailable):
        await spaces.for_search(MODEL)
