"""Photos on a CPU: each goes through all stages on one thread with sessions of its own.

A CPU gains nothing from batches, and every hop between a stage's queue and the event loop costs the
interpreter's lock: with a queue for each stage two cores did 125 searches a second, and were idle a
sixth of the time. So there is one queue, of photos; callers take turns in it as they do in all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from inference.admission import Admission, Load
from inference.bare import BareEngine
from inference.batching import Batcher
from inference.calls import Call
from inference.errors import Dropped, ItemError, ModelFault
from inference.pipeline.analyze import BYTES_PER_PIXEL, EmbeddedFace
from inference.pipeline.decode import read_header
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import (
    Analysis,
    AnalyzeOptions,
    DecodeLimits,
    FloatArray,
    Header,
    Region,
)
from inference.pipeline.looks import LookPolicy

T = TypeVar("T")
Check = Callable[[], None]
Lap = Callable[[str], None]
Job = Callable[[BareEngine], None]
PhotoBatcher = Batcher[Job, None]

_log = structlog.get_logger("inference.direct")


class DirectFactory:
    """Makes runners with fresh sessions; the batcher asks again after a fault."""

    def __init__(
        self,
        detector: Callable[[], Detector],
        recogniser: Callable[[], Recogniser],
        *,
        looks: LookPolicy,
        limits: DecodeLimits,
        may_reduce: bool,
    ) -> None:
        self._detector = detector
        self._recogniser = recogniser
        self._looks = looks
        self._limits = limits
        self._may_reduce = may_reduce

    def __call__(self) -> DirectRunner:
        """Raises PackError and DeviceError."""
        engine = BareEngine(
            self._detector(),
            self._recogniser(),
            looks=self._looks,
            limits=self._limits,
            may_reduce=self._may_reduce,
        )
        return DirectRunner(engine)


class DirectRunner:
    """Does one job after the other with the sessions of its thread."""

    def __init__(self, engine: BareEngine) -> None:
        self._engine = engine

    def __call__(self, jobs: Sequence[Job], _padded_size: int) -> Sequence[ItemError | None]:
        return [self._outcome(job) for job in jobs]

    def _outcome(self, job: Job) -> ItemError | None:
        try:
            job(self._engine)
        except ModelFault:
            raise  # a session that failed must be made again
        except ItemError as error:
            return error
        except Exception:  # noqa: BLE001 - a bug that one image brings out costs that image only
            _log.exception("unexpected_error")
            return ModelFault("an internal error")
        return None


class DirectAnalyzer:
    """Photos in, faces out. The same bytes and options always give the same answer."""

    def __init__(
        self,
        photos: PhotoBatcher,
        *,
        limits: DecodeLimits,
        memory: Admission,
        on_dropped: Callable[[str], None],
    ) -> None:
        """memory: of decoded photos; those that find no room wait.

        on_dropped: told, on the worker's thread, why work ended between two stages: "deadline" or
        "caller_gone".
        """
        self._photos = photos
        self._limits = limits
        self._memory = memory
        self._on_dropped = on_dropped

    async def analyze(
        self, data: bytes, options: AnalyzeOptions, call: Call, region: Region | None = None
    ) -> Analysis:
        """As `Analyzer.analyze`."""
        return await self._run(
            data,
            call,
            lambda engine, header, check, lap: engine.analyze(
                data, options, region, header=header, check=check, lap=lap
            ),
        )

    async def embed_face(self, data: bytes, landmarks: FloatArray, call: Call) -> EmbeddedFace:
        """As `Analyzer.embed_face`."""
        return await self._run(
            data,
            call,
            lambda engine, header, check, lap: engine.embed_face(
                data, landmarks, header=header, check=check, lap=lap
            ),
        )

    async def embed_crop(self, data: bytes, call: Call) -> EmbeddedFace:
        """As `Analyzer.embed_crop`."""
        return await self._run(
            data, call, lambda engine, _, __, lap: engine.embed_crop(data, lap=lap)
        )

    async def _run(
        self, data: bytes, call: Call, work: Callable[[BareEngine, Header, Check, Lap], T]
    ) -> T:
        header = read_header(data, self._limits)
        room = Load(1, header.width * header.height * BYTES_PER_PIXEL)
        interest = _Interest(call)
        results: list[T] = []

        def job(engine: BareEngine) -> None:
            try:
                with call.trace.part("run") as trace:
                    results.append(work(engine, header, interest.check, trace.lap))
            except Dropped as dropped:
                interest.dropped = dropped
                is_late = call.is_expired(time.monotonic())
                self._on_dropped("deadline" if is_late else "caller_gone")

        async with self._memory.wait_and_enter(room, call.caller):
            try:
                await self._photos.submit(job, call=call)
            finally:
                interest.is_gone = True
        if interest.dropped is not None:
            raise interest.dropped
        return results[-1]


class _Interest:
    """Whether anybody waits for the work; looked at between stages, on the worker's thread."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.is_gone = False
        self.dropped: Dropped | None = None

    def check(self) -> None:
        """Raises Dropped if nobody waits any more."""
        if self.is_gone:
            raise Dropped("the caller has gone")
        self._call.check(time.monotonic())
