"""A call that is silent for long is made elsewhere too; the first answer counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


_AGAIN_SECONDS = 0.25


async def first_answer(
    first: Coroutine[Any, Any, T],
    another: Callable[[], Coroutine[Any, Any, T] | None],
    after_seconds: float,
    on_late: Callable[[], object] = lambda: None,
) -> T:
    """What `first` returns, or `another`, which is made once `first` took `after_seconds`.

    More of them follow, four a second, for as long as nobody answers: who is asked next may hang
    too. The others are cancelled. One that raises leaves it to those that are silent; where all
    have raised, the error of `first` is raised. For calls that may be made several times.

    another: None where there is nobody else to ask now. on_late: told when another one has answered
    and the first is silent still.
    """
    calls = [asyncio.ensure_future(first)]
    pause = after_seconds
    try:
        while silent := [call for call in calls if not call.done()]:
            done, _ = await asyncio.wait(silent, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            if any(map(_has_succeeded, done)):
                break
            if not done:
                pause = _AGAIN_SECONDS
                if (coroutine := another()) is not None:
                    calls.append(asyncio.ensure_future(coroutine))
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


def _has_succeeded(call: asyncio.Future[T]) -> bool:
    return call.done() and not call.cancelled() and call.exception() is None
