"""The jobs of a change of pack, and who forgets the second server when."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from pydantic import SecretStr

from edge.backend import Services
from edge.pack_change import DROP_SPACE_JOB, REINDEX_JOB, pack_change_jobs, watch_packs
from edge.services import build_services
from edge.settings import EdgeSettings
from edge.use_cases.drop_space import NoSuchSpace
from edge.use_cases.reindex import CannotReindex
from storage.errors import SpaceInUse
from storage.open import Stores
from storage.photos.memory import MemoryPhotoStore
from storage.records.memory import MemoryRecordStore
from storage.records.model import SpaceState
from storage.vectors.memory import MemoryVectorStore
from tests.unit.edge.fakes import DIM, MODEL, OTHER_MODEL, FakeFaceAnalyzer, photo_of
from tests.unit.edge.use_cases.conftest import key

NEW_MODEL = replace(OTHER_MODEL, dim=2 * DIM)
ARGUMENTS = {"target": "new:50051", "at_once": 1}


def services_of(first: FakeFaceAnalyzer, *, are_exclusive: bool = True) -> Services:
    stores = Stores(
        MemoryVectorStore(), MemoryRecordStore(), MemoryPhotoStore(), are_exclusive=are_exclusive
    )
    new = FakeFaceAnalyzer(loaded=NEW_MODEL)
    return build_services(
        EdgeSettings(api_key=SecretStr("k" * 16)), stores, first, lambda _target: new
    )


def to_nobody(_done: int, _total: int | None) -> None:
    return


async def reindexed(services: Services) -> None:
    await services.enrol(key("1"), photo_of("anna", "ben"))
    done: list[int] = []
    result = await pack_change_jobs(services)[REINDEX_JOB](
        ARGUMENTS, lambda count, _total: done.append(count)
    )
    assert (result["faces"], result["embedded"], done[-1]) == (2, 2, 2)


async def target_of(services: Services) -> str | None:
    active = await services.spaces.active()
    assert active is not None
    assert active.id == NEW_MODEL.space_id
    return active.target


async def watched(services: Services) -> None:
    """One look of the watch."""
    watch = asyncio.create_task(watch_packs(services))
    await asyncio.sleep(0.01)
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)


async def test_the_only_edge_forgets_the_second_server_once_its_own_run_the_pack() -> None:
    first = FakeFaceAnalyzer()
    services = services_of(first)
    await reindexed(services)
    await watched(services)
    assert await target_of(services) == "new:50051"
    first.loaded = NEW_MODEL
    await watched(services)
    assert await target_of(services) is None


async def test_of_several_edges_none_forgets_it_before_the_former_space_is_dropped() -> None:
    first = FakeFaceAnalyzer()
    services = services_of(first, are_exclusive=False)
    await reindexed(services)
    drop = pack_change_jobs(services)[DROP_SPACE_JOB]
    with pytest.raises(SpaceInUse, match="not finished"):
        await drop({"space": MODEL.space_id}, to_nobody)
    first.loaded = NEW_MODEL
    await watched(services)
    assert await target_of(services) == "new:50051"
    dropped = await drop({"space": MODEL.space_id}, to_nobody)
    assert dropped == {"space": MODEL.space_id, "pack": MODEL.pack, "vectors": 2}
    assert await target_of(services) is None
    assert [s.state for s in await services.stores.records.spaces()] == [SpaceState.ACTIVE]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"target": 5, "at_once": 1},
        {"target": "new:1", "at_once": 0},
        {"target": "new:1", "at_once": 1, "photos_a_second": 0},
    ],
)
async def test_a_job_that_says_too_little_is_refused(arguments: dict[str, object]) -> None:
    services = services_of(FakeFaceAnalyzer())
    with pytest.raises(CannotReindex):
        await pack_change_jobs(services)[REINDEX_JOB](arguments, to_nobody)
    with pytest.raises(NoSuchSpace):
        await pack_change_jobs(services)[DROP_SPACE_JOB](arguments, to_nobody)
