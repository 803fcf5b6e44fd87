"""A call that is silent for long is made a second time, elsewhere; the first answer counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def first_answer(
    first: Coroutine[Any, Any, T],
    second: Callable[[], Coroutine[Any, Any, T] | None],
    after_seconds: float,
    on_late: Callable[[], object] = lambda: None,
) -> T:
    """What `first` returns, or `second`, which is made once `first` took `after_seconds`.

    The other one is cancelled. One that raises leaves it to the other; where both raise, the error
    of `first` is raised. For calls that may be made twice.

    second: None where there is nobody else to ask. on_late: told when the second one has answered
    and the first is silent still.
    """
    calls = [asyncio.ensure_future(first)]
    try:
        await asyncio.wait(calls, timeout=after_seconds)
        coroutine = None if calls[0].done() else second()
        if coroutine is not None:
            calls.append(asyncio.ensure_future(coroutine))
            await _until_one_succeeds(calls)
            if not calls[0].done():
                on_late()
        answered = next(filter(_has_succeeded, calls), calls[0])
        return await answered
    finally:
        await _end(calls)


async def _end(calls: Sequence[asyncio.Future[T]]) -> None:
    """Nothing goes on, and no error is left that nobody looked at."""
    silent = [call for call in calls if not call.done()]
    for call in silent:
        call.cancel()
    if silent:
        await asyncio.wait(silent)
    for call in calls:
        if not call.cancelled():
            call.exception()


async def _until_one_succeeds(calls: Sequence[asyncio.Future[T]]) -> None:
    silent = set(calls)
    while silent:
        done, silent = await asyncio.wait(silent, return_when=asyncio.FIRST_COMPLETED)
        if any(map(_has_succeeded, done)):
            return


def _has_succeeded(call: asyncio.Future[T]) -> bool:
    return call.done() and not call.cancelled() and call.exception() is None
