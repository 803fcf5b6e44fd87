"""The inference servers: channels to them, whose turn it is, and what to do when one is away."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
import structlog

from edge.deadline import current_request_id, current_traceparent, remaining_seconds
from edge.errors import DeadlineExceeded, InferenceTlsFault, InferenceUnavailable, Overloaded
from edge.hedging import first_answer
from edge.inference_channel import CallPolicy, Target, channel_options
from edge.inference_errors import translated
from edge.inference_handshake import tls_fault
from edge.inference_tls import ChannelFiles, is_local

if TYPE_CHECKING:
    from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceAsyncStub

_RECENT_SECONDS = 1.0
_NOT_SERVING = " is not serving"

_log = structlog.get_logger(__name__)

AnswerT = TypeVar("AnswerT")
Metadata = tuple[tuple[str, str], ...]

# What to call on a target: its stub, the seconds left and the metadata to send.
Invoke = Callable[["InferenceServiceAsyncStub", float, Metadata], Awaitable[AnswerT]]


class Targets:
    """Gives a call to the target with the fewest in flight; those that have as many take turns. A
    call that finds one away goes to the next, then tries again. One that waits for long is made to
    another one too.

    Every call of the contract is a pure function of its request, so it may be sent again. To be
    constructed inside the event loop that will use it.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        tls: ChannelFiles | None = None,
        policy: CallPolicy | None = None,
    ) -> None:
        if not addresses:
            raise ValueError("at least one inference target is needed")
        self._policy = policy or CallPolicy()
        self._tls = tls
        self._credentials = None if tls is None else tls.latest()
        self._targets = [Target(address, self._open_channel(address)) for address in addresses]
        self._closing: dict[asyncio.Task[None], grpc.aio.Channel] = {}
        self._turn = 0
        self._made_twice = 0

    async def call(self, invoke: Invoke[AnswerT]) -> AnswerT:
        """The answer of the first target that has one.

        Raises InferenceUnavailable if none answered for `retry_seconds`, Overloaded if those that
        answered are full, and at once what `translated` makes of any other status.
        """
        give_up_at: float | None = None
        pause = self._policy.first_pause_seconds
        tried: list[Target] = []
        full: Overloaded | None = None
        while True:
            target = self._next(tried)
            tried.append(target)
            failure: InferenceUnavailable | Overloaded
            try:
                return await self._ask(invoke, target)
            except grpc.aio.AioRpcError as error:
                failure = self._retriable(error, target)

            now = time.monotonic()
            give_up_at = give_up_at or now + self._policy.retry_seconds
            if isinstance(failure, Overloaded):
                full = failure
            if len(tried) < len(self._targets):
                continue
            if full is not None:
                raise full  # the caller's turn to wait: it knows for how long
            jittered = pause * random.uniform(0.5, 1.0)  # noqa: S311  # spreads retries
            left = remaining_seconds()
            if now + jittered >= give_up_at or (left is not None and jittered >= left):
                raise failure
            await asyncio.sleep(jittered)
            pause = min(2 * pause, self._policy.longest_pause_seconds)
            tried.clear()

    async def ping(self) -> None:
        """Return once any target says that it is serving; InferenceUnavailable if none does.

        One that has just answered a call need not be asked.
        """
        answered = max(target.answered_at for target in self._targets)
        if time.monotonic() < answered + _RECENT_SECONDS:
            return
        states, away = [], []
        asked = [asyncio.create_task(self._state_of(target)) for target in self._targets]
        try:
            # As they come: one that hangs must not speak for all.
            for answer in asyncio.as_completed(asked):
                target, error = await answer
                if error is None:
                    return
                states.append(f"{target.address}{error}")
                if error != _NOT_SERVING:
                    away.append(target.address)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        self._renew()
        await self._blame_tls(away)
        raise InferenceUnavailable("; ".join(states))

    async def close(self) -> None:
        """End every call and release the channels."""
        for task in self._closing:
            task.cancel()
        channels = [target.channel for target in self._targets] + list(self._closing.values())
        await asyncio.gather(*self._closing, return_exceptions=True)
        await asyncio.gather(*(channel.close() for channel in channels))

    async def _state_of(self, target: Target) -> tuple[Target, str | None]:
        """What is wrong with a target, after its name; None: it serves."""
        try:
            is_serving = await target.is_serving(self._seconds_left())
        except grpc.aio.AioRpcError as error:
            target.is_away(time.monotonic())
            return target, f": {error.code().name} {error.details()}"
        return target, None if is_serving else _NOT_SERVING

    async def _ask(self, invoke: Invoke[AnswerT], target: Target) -> AnswerT:
        """What a target answers, or another one where it is silent."""
        if len(self._targets) == 1 and not target.may_be_several:
            return await self._invoke(invoke, target)
        asked = [target]

        def once_more() -> Coroutine[Any, Any, AnswerT] | None:
            other = self._next(asked)
            is_known = other in asked and not other.may_be_several
            if is_known or self._made_twice >= self._policy.most_made_twice:
                return None
            # Counted here: many calls may find a server silent before the first of them is made.
            self._made_twice += 1
            asked.append(other)
            return self._invoke(invoke, other)

        try:
            return await first_answer(
                self._invoke(invoke, target),
                once_more,
                self._patience(target),
                on_late=lambda: self._is_silent(target),
            )
        finally:
            self._made_twice -= len(asked) - 1

    async def _invoke(self, invoke: Invoke[AnswerT], target: Target) -> AnswerT:
        target.in_flight += 1
        try:
            answer = await invoke(target.stub, self._seconds_left(), _metadata())
        finally:
            target.in_flight -= 1
        target.is_back(time.monotonic())
        return answer

    def _patience(self, target: Target) -> float:
        """Seconds until another server is asked too."""
        is_wary = target.may_be_several and time.monotonic() < target.is_wary_until
        return self._policy.wary_seconds if is_wary else self._policy.silent_seconds

    def _is_silent(self, target: Target) -> None:
        """Another server has answered what this one did not."""
        now = time.monotonic()
        target.is_wary_until = now + self._policy.wary_for_seconds
        if target.rests_until <= now:  # once, not for every call
            _log.warning("inference_silent", target=target.address)
        target.rests_until = now + self._policy.rest_seconds

    def _renew(self) -> None:
        """Open channels anew if the files of TLS were exchanged, or if a name was lost.

        To be called when one is away.
        """
        latest = None if self._tls is None else self._tls.latest()
        is_exchanged = latest is not self._credentials
        self._credentials = latest
        now = time.monotonic()
        lost = [one for one in self._targets if one.was_lost(now, self._policy.lost_seconds)]
        stale = [one for one in self._targets if is_exchanged and not is_local(one.address)]
        renewed = dict.fromkeys([*lost, *stale])
        for target in renewed:
            self._open_anew(target)
        if renewed:
            _log.info("channels_opened_anew", targets=[target.address for target in renewed])

    def _open_anew(self, target: Target) -> None:
        before = target.channel
        target.take(self._open_channel(target.address))
        closing = asyncio.create_task(before.close(self._policy.timeout_seconds))
        self._closing[closing] = before
        closing.add_done_callback(self._closing.pop)

    async def _blame_tls(self, addresses: Sequence[str]) -> None:
        """Raises InferenceTlsFault if TLS is what keeps one of these apart from the edge."""
        tls = None if self._tls is None else self._tls.tls
        faults = await asyncio.gather(
            *(asyncio.to_thread(tls_fault, address, tls) for address in addresses)
        )
        for address, why in zip(addresses, faults, strict=True):
            if why is not None:
                raise InferenceTlsFault(address, why)

    def _next(self, tried: Sequence[Target]) -> Target:
        """Of those not tried yet, the awake ones first, and of these the least busy in turn."""
        turn = self._turn
        self._turn = (turn + 1) % len(self._targets)
        in_turn = self._targets[turn:] + self._targets[:turn]
        candidates = [target for target in in_turn if target not in tried] or in_turn
        now = time.monotonic()
        awake = [target for target in candidates if target.rests_until <= now] or candidates
        return min(awake, key=lambda target: target.in_flight)

    def _seconds_left(self) -> float:
        left = remaining_seconds()
        if left is None:
            return self._policy.timeout_seconds
        if left <= 0:
            raise DeadlineExceeded("the deadline of the request passed before inference answered")
        return left

    def _retriable(
        self, error: grpc.aio.AioRpcError, target: Target
    ) -> InferenceUnavailable | Overloaded:
        failure = translated(error)
        if isinstance(failure, InferenceUnavailable):
            now = time.monotonic()
            if target.rests_until <= now:  # once, not at every try
                _log.warning(
                    "inference_unavailable",
                    target=target.address,
                    code=error.code().name,
                    details=error.details(),
                )
            target.rests_until = now + self._policy.rest_seconds
            target.is_away(now)
            self._renew()
            return failure
        if isinstance(failure, Overloaded):
            return failure
        raise failure from error

    def _open_channel(self, address: str) -> grpc.aio.Channel:
        options = channel_options(self._policy)
        if self._credentials is None or self._tls is None or is_local(address):
            return grpc.aio.insecure_channel(address, options=options)
        if self._tls.tls.server_name:
            options.append(("grpc.ssl_target_name_override", self._tls.tls.server_name))
        return grpc.aio.secure_channel(address, self._credentials, options=options)


def _metadata() -> Metadata:
    pairs = (
        ("x-request-id", current_request_id.get()),
        ("traceparent", current_traceparent.get()),
    )
    return tuple((key, value) for key, value in pairs if value is not None)
