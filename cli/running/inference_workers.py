"""Several inference servers for one edge: Python's lock keeps one of them from using all cores.

Each is an ordinary server with a socket of its own; the edge gives a call to the one with the
fewest in flight. Together they look like one child: they serve when all do, and end when none can
go on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from cli.running.child import Child, ChildEnded, LogLine

MODULE = "inference"
_LONGEST_WAIT_SECONDS = 30.0

OnLine = Callable[[str, str], None]


class InferenceWorkers:
    """One or more `python -m inference`. Of several, one that dies is started again."""

    def __init__(
        self, children: list[Child], environments: Sequence[Mapping[str, str]], on_line: OnLine
    ) -> None:
        self._children = children
        self._environments = environments
        self._on_line = on_line
        self._serving: set[int] = set()
        self._death: asyncio.Future[ChildEnded] = asyncio.get_running_loop().create_future()
        self._keeping: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, environments: Sequence[Mapping[str, str]], on_line: OnLine) -> Self:
        """Start one for each environment; returns at once."""
        children = [await Child.start(MODULE, each, on_line) for each in environments]
        workers = cls(children, environments, on_line)
        workers._keeping = [
            asyncio.create_task(workers._keep(number), name=f"keep inference {number}")
            for number in range(len(children))
        ]
        return workers

    @property
    def pids(self) -> list[int]:
        """Of those that were started last, by number."""
        return [child.pid for child in self._children]

    async def serving(self) -> LogLine:
        """What the first one says of itself, when all of them serve.

        Raises ChildEnded if one ends before.
        """
        # What keeps one from starting keeps all: the first that ends has said it.
        first, *_ = await asyncio.gather(*(child.serving() for child in self._children))
        return first

    async def death(self) -> ChildEnded:
        """Why it cannot go on, once none of them serves and one could not be started."""
        return await asyncio.shield(self._death)

    async def stop(self, timeout_seconds: float) -> None:
        """SIGTERM to each, and SIGKILL if that did not do; returns when they have ended."""
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await asyncio.gather(*(child.stop(timeout_seconds) for child in self._children))

    async def _keep(self, number: int) -> None:
        """Start the one with this number again whenever it ends; until cancelled."""
        wait_seconds = 0.0
        while True:
            child = self._children[number]
            try:
                await child.serving()
                self._serving.add(number)
                wait_seconds = 0.0
            except ChildEnded:
                # What kept it from starting may go away: the others go on meanwhile.
                wait_seconds = min(2 * wait_seconds + 1, _LONGEST_WAIT_SECONDS)
            await child.ended()
            has_served = number in self._serving
            self._serving.discard(number)
            if len(self._children) == 1 or not (self._serving or has_served):
                self._end(child.death())
                return
            self._say("inference_worker_ended", number, str(child.death()))
            await asyncio.sleep(wait_seconds)
            self._children[number] = await Child.start(
                MODULE, self._environments[number], self._on_line
            )

    def _end(self, death: ChildEnded) -> None:
        if not self._death.done():
            self._death.set_result(death)

    def _say(self, event: str, number: int, cause: str) -> None:
        fields = {"event": event, "level": "error", "worker": number + 1, "cause": cause}
        self._on_line(MODULE, json.dumps(fields))
