"""A call that is silent is made a second time, and the first answer counts."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from edge.hedging import first_answer

AT_ONCE = 0.0
NEVER = 3600.0


class Call:
    """A call that answers, fails or hangs as it is told; what became of it is kept."""

    def __init__(self, answer: str = "", error: Exception | None = None) -> None:
        self.answer = answer
        self.error = error
        self.go_on = asyncio.Event()
        self.made = asyncio.Event()
        self.was_cancelled = False

    async def __call__(self) -> str:
        self.made.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if self.error is not None:
            raise self.error
        return self.answer

    def ready(self) -> Call:
        """The same, and it does not hang."""
        self.go_on.set()
        return self


async def test_an_answer_in_time_is_all_that_is_asked_for() -> None:
    second = Call("second").ready()
    assert await first_answer(Call("first").ready()(), second, NEVER) == "first"
    assert not second.made.is_set()


async def test_who_is_silent_is_overtaken_and_told_to_stop() -> None:
    first, late = Call("first"), []
    answer = await first_answer(
        first(), Call("second").ready(), AT_ONCE, on_late=lambda: late.append(first)
    )
    assert answer == "second"
    assert first.was_cancelled
    assert late == [first]


async def test_the_first_one_may_still_answer_before_the_second() -> None:
    first, second, late = Call("first"), Call("second"), []
    asking = asyncio.create_task(
        first_answer(first(), second, AT_ONCE, on_late=lambda: late.append(first))
    )
    await second.made.wait()
    first.ready()
    assert await asking == "first"
    assert second.was_cancelled
    assert late == []


async def test_where_the_second_one_is_silent_too_others_follow() -> None:
    silent, made = Call("silent"), list[Call]()

    def another() -> Coroutine[Any, Any, str]:
        made.append(Call(f"number {len(made)}"))
        return made[-1].ready()() if len(made) == 3 else made[-1]()

    assert await first_answer(silent(), another, AT_ONCE) == "number 2"
    assert silent.was_cancelled
    assert [call.was_cancelled for call in made] == [True, True, False]


async def test_where_nobody_else_can_be_asked_the_first_one_is_waited_for() -> None:
    first = Call("first")
    asyncio.get_running_loop().call_soon(first.go_on.set)
    assert await first_answer(first(), lambda: None, AT_ONCE) == "first"


async def test_an_error_in_time_is_raised_at_once() -> None:
    second = Call("second").ready()
    with pytest.raises(ValueError, match="first"):
        await first_answer(Call(error=ValueError("first")).ready()(), second, NEVER)
    assert not second.made.is_set()


@pytest.mark.parametrize("fails", ["first", "second"])
async def test_one_that_fails_leaves_it_to_the_other(fails: str) -> None:
    first, second = Call("first"), Call("second")
    failing, answering = (first, second) if fails == "first" else (second, first)
    failing.error = ValueError(fails)
    asking = asyncio.create_task(first_answer(first(), second, AT_ONCE))
    await second.made.wait()
    failing.ready()
    await asyncio.sleep(0)
    answering.ready()
    assert await asking == answering.answer


async def test_where_both_fail_the_first_error_is_told() -> None:
    first, second = Call(error=ValueError("first")), Call(error=ValueError("second")).ready()
    asking = asyncio.create_task(first_answer(first(), second, AT_ONCE))
    await second.made.wait()
    first.ready()
    with pytest.raises(ValueError, match="first"):
        await asking


async def test_who_no_longer_waits_ends_both_calls() -> None:
    first, second = Call("first"), Call("second")
    asking = asyncio.create_task(first_answer(first(), second, AT_ONCE))
    await second.made.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert first.was_cancelled
    assert second.was_cancelled
