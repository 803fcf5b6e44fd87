"""The inference servers: channels to them, whose turn it is, and what to do when one is away."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import grpc
import structlog
from grpc_health.v1 import health_pb2

from edge.deadline import current_request_id, current_traceparent, remaining_seconds
from edge.errors import DeadlineExceeded, InferenceTlsFault, InferenceUnavailable, Overloaded
from edge.inference_errors import translated
from edge.inference_handshake import tls_fault
from edge.inference_tls import ChannelFiles, is_local
from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceStub

if TYPE_CHECKING:
    from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceAsyncStub

_log = structlog.get_logger(__name__)

AnswerT = TypeVar("AnswerT")
Metadata = tuple[tuple[str, str], ...]

_SERVICE = "facesearch.inference.v1.InferenceService"
_HEALTH_CHECK = "/grpc.health.v1.Health/Check"

# A name may stand for several addresses (a headless service): gRPC spreads over those itself, and
# leaves out whose health is not SERVING: starting, draining.
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": _SERVICE},
}


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """How long to wait and how often to try."""

    timeout_seconds: float = 30.0
    """For a call outside any request."""
    retry_seconds: float = 2.0
    """How long to go on trying while nobody answers; within the deadline of the request."""
    first_pause_seconds: float = 0.05
    """After every target was tried; doubled each time, jittered by half."""
    longest_pause_seconds: float = 0.5
    rest_seconds: float = 1.0
    """How long a target that was away is passed over while others answer."""
    max_message_bytes: int = 64 * 1024 * 1024


class Target:
    """One address with its channel."""

    def __init__(self, address: str, channel: grpc.aio.Channel) -> None:
        self.address = address
        self.rests_until = 0.0
        self.in_flight = 0
        self.take(channel)

    def take(self, channel: grpc.aio.Channel) -> None:
        """Calls go over this channel from now on; those in flight end on the one before."""
        self.channel = channel
        self.stub: InferenceServiceAsyncStub = InferenceServiceStub(channel)
        self._check_health = channel.unary_unary(
            _HEALTH_CHECK,
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )

    async def is_serving(self, timeout_seconds: float) -> bool:
        """What the server says of itself. Raises AioRpcError if it does not answer."""
        request = health_pb2.HealthCheckRequest(service=_SERVICE)
        answer = await self._check_health(request, timeout=timeout_seconds)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


# What to call on a target: its stub, the seconds left and the metadata to send.
Invoke = Callable[["InferenceServiceAsyncStub", float, Metadata], Awaitable[AnswerT]]


class Targets:
    """Gives a call to the target with the fewest in flight; those that have as many take turns. A
    call that finds one away goes to the next, then tries again.

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
            target.in_flight += 1
            try:
                answer = await invoke(target.stub, self._seconds_left(), _metadata())
            except grpc.aio.AioRpcError as error:
                failure = self._retriable(error, target)
            else:
                target.rests_until = 0.0
                return answer
            finally:
                target.in_flight -= 1

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
        """Return if any target says that it is serving; InferenceUnavailable otherwise."""
        answers = await asyncio.gather(
            *(target.is_serving(self._seconds_left()) for target in self._targets),
            return_exceptions=True,
        )
        states, away = [], []
        for target, answer in zip(self._targets, answers, strict=True):
            match answer:
                case True:
                    return
                case False:
                    states.append(f"{target.address} is not serving")
                case grpc.aio.AioRpcError():
                    states.append(f"{target.address}: {answer.code().name} {answer.details()}")
                    away.append(target.address)
                case _:
                    raise answer
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

    def _renew(self) -> None:
        """Open channels anew if the files of TLS were exchanged. To be called when one is away."""
        if self._tls is None or (latest := self._tls.latest()) is self._credentials:
            return
        self._credentials = latest
        for target in self._targets:
            if not is_local(target.address):
                before = target.channel
                target.take(self._open_channel(target.address))
                closing = asyncio.create_task(before.close(self._policy.timeout_seconds))
                self._closing[closing] = before
                closing.add_done_callback(self._closing.pop)
        _log.info("channels_opened_anew")

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
            self._renew()
            return failure
        if isinstance(failure, Overloaded):
            return failure
        raise failure from error

    def _open_channel(self, address: str) -> grpc.aio.Channel:
        options = _options(self._policy)
        if self._credentials is None or self._tls is None or is_local(address):
            return grpc.aio.insecure_channel(address, options=options)
        if self._tls.tls.server_name:
            options.append(("grpc.ssl_target_name_override", self._tls.tls.server_name))
        return grpc.aio.secure_channel(address, self._credentials, options=options)


def _options(policy: CallPolicy) -> list[tuple[str, str | int]]:
    return [
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.max_send_message_length", policy.max_message_bytes),
        ("grpc.max_receive_message_length", policy.max_message_bytes),
        # A server that vanished without a word (its host is gone) is noticed within 25 s.
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.http2.max_pings_without_data", 0),
        # By default a channel waits up to two minutes before it tries a server again.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        # … and 20 s for a connection that does not come about.
        ("grpc.min_reconnect_backoff_ms", 2_000),
        # … and 30 s between two looks at what a name stands for. While a Deployment is rolled out,
        # all the servers known could have gone in that time.
        ("grpc.dns_min_time_between_resolutions_ms", 2_000),
    ]


def _metadata() -> Metadata:
    pairs = (
        ("x-request-id", current_request_id.get()),
        ("traceparent", current_traceparent.get()),
    )
    return tuple((key, value) for key, value in pairs if value is not None)
