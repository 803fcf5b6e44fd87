"""The scope of a request."""

import asyncio

from edge.deadline import (
    current_deadline,
    current_request_id,
    current_traceparent,
    remaining_seconds,
    request_scope,
)


def test_outside_a_request_there_is_no_deadline_and_no_id() -> None:
    assert remaining_seconds() is None
    assert current_request_id.get() is None


def test_inside_a_request_the_time_left_shrinks_from_the_timeout() -> None:
    with request_scope(timeout_seconds=5.0, request_id="abc", traceparent="00-aa-bb-01"):
        left = remaining_seconds()
        assert left is not None
        assert 4.0 < left <= 5.0
        assert current_request_id.get() == "abc"
        assert current_traceparent.get() == "00-aa-bb-01"
    assert current_deadline.get() is None
    assert current_request_id.get() is None


def test_the_time_left_is_never_negative() -> None:
    with request_scope(timeout_seconds=-1.0):
        assert remaining_seconds() == 0.0


async def test_two_requests_at_once_do_not_see_each_others_ids() -> None:
    both_inside = asyncio.Barrier(2)

    async def request(name: str) -> str | None:
        with request_scope(timeout_seconds=1.0, request_id=name):
            await both_inside.wait()
            return current_request_id.get()

    assert tuple(await asyncio.gather(request("one"), request("two"))) == ("one", "two")
