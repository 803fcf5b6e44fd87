"""When free memory is handed back: once after each spell of work, and never during one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from inference.trim import malloc_trim, trimming

INTERVAL_SECONDS = 0.005


class Spells:
    """Work as the test says, and the trims that came of it."""

    def __init__(self) -> None:
        self.done = 0
        self.is_busy = False
        self.looks = 0
        self.trims = 0

    def is_idle(self) -> bool:
        self.looks += 1
        return not self.is_busy

    def trim(self) -> None:
        self.trims += 1

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not is_so():  # noqa: ASYNC110 - the watcher owes tests no event
                await asyncio.sleep(0)

    async def looked_at(self, times: int) -> None:
        wanted = self.looks + times
        await self.until(lambda: self.looks >= wanted)


async def test_memory_is_handed_back_once_after_each_spell_of_work() -> None:
    spells = Spells()
    async with trimming(
        lambda: spells.done,
        spells.is_idle,
        trim=spells.trim,
        interval_seconds=INTERVAL_SECONDS,
    ):
        await spells.looked_at(3)
        assert spells.trims == 0, "nothing was done"

        spells.done, spells.is_busy = 1, True
        await spells.looked_at(3)
        assert spells.trims == 0, "it is at work"

        spells.is_busy = False
        await spells.until(lambda: spells.trims == 1)
        await spells.looked_at(3)
        assert spells.trims == 1


def test_the_c_library_is_asked() -> None:
    malloc_trim()
