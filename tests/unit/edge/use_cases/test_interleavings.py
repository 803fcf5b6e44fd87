"""Writers, searches and the sweep at once, in many orders."""

from __future__ import annotations

import asyncio
import random

import pytest

from storage.errors import PhotoNotFound, RevisionGone
from tests.unit.edge.fakes import MODEL, Step, Steps, photo_of
from tests.unit.edge.use_cases.conftest import Base, key

STEPS = (
    *("begin", "commit_live", "visible", "live_photos", "garbage", "forget", "remove_photo"),
    *("put", "get", "remove"),
    *("add", "search", "fetch", "remove_revisions"),
)


def yielding(order: random.Random) -> Step:
    """A step that lets the others go on for a while."""

    async def give_way() -> None:
        for _ in range(order.randrange(6)):
            await asyncio.sleep(0)

    return give_way


@pytest.fixture(params=range(20))
def shuffled(request: pytest.FixtureRequest, base: Base) -> Base:
    """A base whose calls overlap in another order for every seed."""
    order = random.Random(request.param)
    ports: tuple[Steps, ...] = (base.record_steps, base.photo_steps, base.vector_steps)
    for steps in ports:
        for name in STEPS:
            steps.before[name] = steps.after[name] = yielding(order)
    base.faces.on_analyze = yielding(order)
    return base


async def test_an_acknowledged_photo_is_in_every_search_while_it_is_replaced(
    shuffled: Base,
) -> None:
    base = shuffled
    await base.enrol(key("IMG_1"), photo_of("anna", shot=0))
    is_over = asyncio.Event()

    async def replace_it() -> None:
        for shot in range(1, 12):
            await base.enrol(key("IMG_1"), photo_of("anna", shot=shot))
        is_over.set()

    async def sweep() -> None:
        while not is_over.is_set():
            assert (await base.sweep.once()).failure is None

    async def search() -> int:
        searches = 0
        while not is_over.is_set():
            assert await base.found("anna") == ["IMG_1"]
            searches += 1
        return searches

    _, _, searches = await asyncio.gather(replace_it(), sweep(), search())
    assert searches > 3
    await base.sweep.once()
    assert (await base.faces_stored(), await base.photos_stored()) == (1, 1)


async def test_whatever_writers_do_at_once_the_stores_agree_in_the_end(shuffled: Base) -> None:
    base = shuffled

    async def enrol(person: str, shot: int) -> None:
        try:
            await base.enrol(key("IMG_1"), photo_of(person, shot=shot))
        except RevisionGone:
            return  # removed meanwhile: the caller is told to send it again

    async def remove() -> None:
        try:
            await base.remove.one("IMG_1", "", None)
        except PhotoNotFound:
            return

    people = ("anna", "bob", "carol")
    writers = [enrol(person, shot) for shot in range(4) for person in people]
    await asyncio.gather(*writers, *(remove() for _ in range(3)), base.sweep.once())
    await base.sweep.once()

    found = {person: await base.found(person) for person in people}
    shown = [person for person in people if found[person]]
    assert len(shown) <= 1  # one of them, whole, or none
    assert await base.faces_stored() == len(shown)
    assert await base.photos_stored() == len(shown)
    if shown:
        image = await base.read.image("IMG_1", None, None)
        assert image in [photo_of(shown[0], shot=shot) for shot in range(4)]
    assert [space.id for space in await base.records.spaces()] == [MODEL.space_id]
