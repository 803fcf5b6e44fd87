"""Whether requests can be answered, and if not, what is in the way (/readyz)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from edge.backend import Backend, Phase, Services
from edge.errors import EdgeError, InferenceTlsFault
from edge.inference_errors import InferenceFault
from edge.outages import Outages
from edge.problems import REINDEX
from edge.schemas.operations import DependencyAnswer, ReadyAnswer
from storage.errors import EmbeddingSpaceMismatch, StorageError

_DEPENDENCIES = ("inference", "vectors", "records", "photos")
_log = structlog.get_logger("edge.readiness")


class Readiness:
    """Asks every dependency, at most once in `cache_seconds` however many probes come."""

    def __init__(
        self,
        backend: Backend,
        *,
        timeout_seconds: float = 2.0,
        cache_seconds: float = 1.0,
        report_to: Callable[[ReadyAnswer], None] = lambda _: None,
    ) -> None:
        """report_to: told every answer, whoever asked."""
        self._backend = backend
        self._timeout_seconds = timeout_seconds
        self._cache_seconds = cache_seconds
        self._report_to = report_to
        self._answer: ReadyAnswer | None = None
        self._fresh_until = float("-inf")
        self._asking = asyncio.Lock()
        self._outages = Outages(_log)

    async def __call__(self) -> ReadyAnswer:
        """The state of everything; never raises for a dependency that is away."""
        answer = await self._now()
        self._report_to(answer)
        return answer

    async def _now(self) -> ReadyAnswer:
        match self._backend.phase:
            case Phase.DRAINING:
                return ReadyAnswer(
                    status="draining", detail="the process is stopping", dependencies={}
                )
            case Phase.STARTING:
                return _starting(self._backend.progress)
            case Phase.SERVING:
                return await self._cached()

    async def _cached(self) -> ReadyAnswer:
        async with self._asking:
            if self._answer is None or time.monotonic() >= self._fresh_until:
                self._answer = await self._ask(self._backend.services)
                self._fresh_until = time.monotonic() + self._cache_seconds
            return self._answer

    async def _ask(self, services: Services) -> ReadyAnswer:
        stores = services.stores
        pings: tuple[Callable[[], Awaitable[None]], ...] = (
            services.faces.ping,
            stores.vectors.ping,
            stores.records.ping,
            stores.photos.ping,
        )
        states = await asyncio.gather(
            *(self._state(name, ping) for name, ping in zip(_DEPENDENCIES, pings, strict=True))
        )
        dependencies = dict(zip(_DEPENDENCIES, states, strict=True))
        # Whether the packs agree is asked last: records that are away are not inference's fault.
        if all(dependencies[name].state == "ok" for name in ("inference", "records")):

            async def same_space() -> None:
                await services.spaces.check(await services.faces.model())

            dependencies["inference"] = await self._state("inference", same_space)
        broken = [name for name, state in dependencies.items() if state.state != "ok"]
        return ReadyAnswer(
            status="unavailable" if broken else "ready",
            detail=f"not usable: {', '.join(broken)}" if broken else None,
            dependencies=dependencies,
        )

    async def _state(self, name: str, ping: Callable[[], Awaitable[None]]) -> DependencyAnswer:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await ping()
        except EmbeddingSpaceMismatch as error:
            return DependencyAnswer(
                state="mismatch",
                detail=f"the base holds {error.found}; inference runs {error.wanted}. {REINDEX}",
            )
        except TimeoutError:
            silent = f"no answer within {self._timeout_seconds:g} s"
            self._outages.away(name, "not ready", dependency=name, cause=silent)
            return DependencyAnswer(state="unavailable", detail=silent)
        except InferenceTlsFault as error:
            self._outages.away(name, "not ready", dependency=name, cause=str(error))
            return DependencyAnswer(state="unavailable", detail=error.why)
        except (EdgeError, StorageError, InferenceFault) as error:
            # A driver's own words may name hosts and paths: they are for the log.
            self._outages.away(name, "not ready", dependency=name, cause=str(error))
            return DependencyAnswer(
                state="unavailable", detail="does not answer; the log of the edge says why"
            )
        self._outages.back(name)
        return DependencyAnswer(state="ok", detail=None)


def _starting(progress: str | None) -> ReadyAnswer:
    return ReadyAnswer(
        status="starting",
        detail=progress or "the stores are being opened",
        dependencies={
            name: DependencyAnswer(state="starting", detail=None) for name in _DEPENDENCIES[1:]
        },
    )
