"""One inference server, or several behind one name: its channel, and how patient calls are."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health_pb2

from edge.hedging import first_answer
from edge.inference_tls import is_local
from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceStub

if TYPE_CHECKING:
    from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceAsyncStub

_SERVICE = "facesearch.inference.v1.InferenceService"
_HEALTH_CHECK = "/grpc.health.v1.Health/Check"
_SILENT_CHECK_SECONDS = 0.5

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
    silent_seconds: float = 1.0
    """After which a call is made to another server too: this one may hang. A search takes a tenth
    of it, and a server says that it is full at once."""
    wary_seconds: float = 0.2
    """The same behind a name where a server was silent: gRPC gives it its turns until its
    connection is found dead, and calls that wait for it would fill the edge."""
    wary_for_seconds: float = 15.0
    """How long after the last silence: as long as keepalive takes to find it."""
    most_made_twice: int = 12
    """Such further calls at the same time; so slow servers do not get twice the work."""
    lost_seconds: float = 1.0
    """After which a name that nobody answers for is looked up by a new channel, so often: gRPC's
    own would not look while its servers say that they drain, and after each failed look-up wait
    longer, up to two minutes."""
    max_message_bytes: int = 64 * 1024 * 1024


class Target:
    """One address with its channel."""

    def __init__(self, address: str, channel: grpc.aio.Channel) -> None:
        self.address = address
        self.may_be_several = may_be_several(address)
        self.rests_until = 0.0
        self.in_flight = 0
        self.answered_at = float("-inf")
        self.is_wary_until = 0.0
        self._away_since: float | None = None
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

    def is_back(self, now: float) -> None:
        """It answered; `now` of time.monotonic()."""
        self.answered_at = now
        self.rests_until = 0.0
        self._away_since = None

    def is_away(self, now: float) -> None:
        """It did not; `now` of time.monotonic()."""
        self._away_since = now if self._away_since is None else self._away_since

    def was_lost(self, now: float, lost_seconds: float) -> bool:
        """Whether it is a name that nobody has answered for so long; begins to count anew if so."""
        if not self.may_be_several or self._away_since is None:
            return False
        if now - self._away_since < lost_seconds:
            return False
        self._away_since = now
        return True

    async def is_serving(self, timeout_seconds: float) -> bool:
        """What the server says of itself, or one of several. Raises AioRpcError if none answers."""

        async def ask() -> bool:
            request = health_pb2.HealthCheckRequest(service=_SERVICE)
            answer = await self._check_health(request, timeout=timeout_seconds)
            return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

        # The first one asked may hang, and gRPC's next turn is another's.
        another = ask if self.may_be_several else _nobody
        return await first_answer(ask(), another, _SILENT_CHECK_SECONDS)


def channel_options(policy: CallPolicy) -> list[tuple[str, str | int]]:
    """Of gRPC, for every channel to inference."""
    return [
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
        ("grpc.max_send_message_length", policy.max_message_bytes),
        ("grpc.max_receive_message_length", policy.max_message_bytes),
        # A server that vanished without a word (its host is gone) or hangs is noticed within 15 s.
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.http2.max_pings_without_data", 0),
        # By default a channel waits up to two minutes before it tries a server again.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        # … and 20 s for a connection that does not come about.
        ("grpc.min_reconnect_backoff_ms", 2_000),
        # … and looks a name up once in 30 s at most: where all servers behind it are replaced one
        # by one within that time, none would be left that it knows.
        ("grpc.dns_min_time_between_resolutions_ms", 1_000),
    ]


def may_be_several(address: str) -> bool:
    """Whether several servers may be behind this gRPC name: a host's name, not its address."""
    scheme, _, rest = address.partition(":")
    if is_local(address) or scheme in {"ipv4", "ipv6"}:
        return False
    host = (rest.rpartition("/")[2] if scheme == "dns" else address).rpartition(":")[0]
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host != "localhost"
    return False


def _nobody() -> None:
    """Nobody else can be asked."""
