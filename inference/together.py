"""Coroutines that run at once for one caller."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import TypeVar

T = TypeVar("T")


async def together(parts: Iterable[Coroutine[None, None, T]]) -> list[T]:
    """The results of all parts, in their order.

    The first error ends the others and is raised as it is, not in a group: a caller handles one
    error, and which of several it is does not matter to it.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(part) for part in parts]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
