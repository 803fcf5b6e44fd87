"""The gRPC service: admits calls, runs their items side by side, answers each by itself."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TypeAlias, TypeVar, cast

import grpc
import structlog
from google.protobuf.message import Message

from facesearch.inference.v1 import inference_pb2 as pb
from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceServicer
from inference import translate
from inference.admission import Admission, Load
from inference.call_record import CallRecord, request_id
from inference.calls import Call
from inference.engine import Engine
from inference.errors import (
    DeadlinePassed,
    Draining,
    InferenceError,
    InvalidCall,
    InvalidLandmarks,
    ItemError,
    ModelFault,
    Overloaded,
)
from inference.metrics import Metrics
from inference.pipeline.analyze import EmbeddedFace
from inference.pipeline.faces import AnalyzeOptions, EmbedMode
from inference.settings import Settings
from inference.stream import FlowControl
from inference.together import together
from inference.tracing import NO_TRACING, Tracing

MAX_ID_BYTES = 256
STREAM = "AnalyzeStream"

_log = structlog.get_logger("inference.servicer")

Item = TypeVar("Item")
Result = TypeVar("Result")
Context: TypeAlias = grpc.aio.ServicerContext[Message, Message]
StreamContext: TypeAlias = grpc.aio.ServicerContext[
    pb.AnalyzeStreamRequest, pb.AnalyzeStreamResponse
]


class InferenceService(InferenceServiceServicer):
    """Answers UNAVAILABLE until it is opened with a warm engine."""

    def __init__(
        self,
        settings: Settings,
        admission: Admission,
        metrics: Metrics,
        version: str,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._settings = settings
        self._tracing = tracing
        self._admission = admission
        self._metrics = metrics
        self._version = version
        self._engine: Engine | None = None
        self._draining = asyncio.Event()
        self._numbers = itertools.count()

    @cached_property
    def _call_log(self) -> structlog.typing.FilteringBoundLogger:
        # Once, not for each line: to make a logger takes a sixth of the time of a line.
        return cast("structlog.typing.FilteringBoundLogger", _log.bind())

    def open(self, engine: Engine) -> None:
        """Serve from now on."""
        self._engine = engine

    def drain(self) -> None:
        """Let streams end after what they have read."""
        self._draining.set()

    async def Detect(  # noqa: N802 - the contract's names
        self, request: pb.DetectRequest, context: Context
    ) -> pb.DetectResponse:
        async with self._serve("Detect", context) as (engine, record):
            options = self._options(request.options, EmbedMode.NONE, with_crops=False)
            results = await self._analyze_all(engine, record, request.images, options)
            return pb.DetectResponse(results=results, model=translate.model(engine.info))

    async def Analyze(  # noqa: N802
        self, request: pb.AnalyzeRequest, context: Context
    ) -> pb.AnalyzeResponse:
        async with self._serve("Analyze", context) as (engine, record):
            options = self._options(
                request.options,
                translate.embed_mode(request.embed),
                with_crops=request.return_crops,
            )
            results = await self._analyze_all(engine, record, request.images, options)
            return pb.AnalyzeResponse(results=results, model=translate.model(engine.info))

    async def Embed(  # noqa: N802
        self, request: pb.EmbedRequest, context: Context
    ) -> pb.EmbedResponse:
        async with self._serve("Embed", context) as (engine, record):

            async def one(item: pb.EmbedItem) -> pb.EmbedResult:
                face = await _embed(engine, item, record.call)
                return translate.embed_result(face, with_crop=request.return_crops)

            results = await self._all(
                record,
                request.items,
                one,
                size=lambda item: len(item.face.image.data) + len(item.aligned_crop),
                failed=translate.failed_embed,
            )
            return pb.EmbedResponse(results=results, model=translate.model(engine.info))

    async def AnalyzeStream(  # type: ignore[override]  # noqa: N802 - grpc.aio's reader and writer
        self, request_iterator: object, context: StreamContext
    ) -> None:
        del request_iterator
        async with self._serve(STREAM, context) as (engine, record):
            model = translate.model(engine.info)
            options = self._options(pb.DetectOptions(), EmbedMode.ALL, with_crops=False)

            async def read() -> tuple[pb.AnalyzeStreamRequest, AnalyzeOptions] | None:
                nonlocal options
                request: object = await context.read()
                if not isinstance(request, pb.AnalyzeStreamRequest):
                    return None
                if len(request.id.encode()) > MAX_ID_BYTES:
                    raise InvalidCall(f"an id has at most {MAX_ID_BYTES} bytes")
                if request.HasField("options"):
                    options = self._options(
                        request.options.detect,
                        translate.embed_mode(request.options.embed),
                        with_crops=request.options.return_crops,
                    )
                return request, options

            async def answer(
                asked: tuple[pb.AnalyzeStreamRequest, AnalyzeOptions],
            ) -> pb.AnalyzeStreamResponse:
                request, own = asked
                record.items += 1
                result = await self._one(
                    record,
                    lambda: _analyze(engine, record, request.image, own),
                    translate.failed_image,
                )
                return pb.AnalyzeStreamResponse(id=request.id, result=result, model=model)

            await FlowControl(
                read=read,
                write=context.write,
                answer=answer,
                load=lambda asked: Load(1, len(asked[0].image.data)),
                admission=self._admission,
                window=self._settings.call_window,
                draining=self._draining,
            ).run()

    async def GetModelInfo(  # noqa: N802
        self, request: pb.GetModelInfoRequest, context: Context
    ) -> pb.GetModelInfoResponse:
        del request
        async with self._serve("GetModelInfo", context) as (engine, _):
            return translate.model_info(engine.info, self._settings, self._version)

    def _options(
        self, detect: pb.DetectOptions, embed: EmbedMode, *, with_crops: bool
    ) -> AnalyzeOptions:
        return translate.analyze_options(
            detect, self._settings.min_score, embed=embed, with_crops=with_crops
        )

    async def _analyze_all(
        self,
        engine: Engine,
        record: CallRecord,
        images: Sequence[pb.Image],
        options: AnalyzeOptions,
    ) -> list[pb.ImageResult]:
        return await self._all(
            record,
            images,
            lambda image: _analyze(engine, record, image, options),
            size=lambda image: len(image.data),
            failed=translate.failed_image,
        )

    async def _all(
        self,
        record: CallRecord,
        items: Sequence[Item],
        work: Callable[[Item], Coroutine[None, None, Result]],
        *,
        size: Callable[[Item], int],
        failed: Callable[[ItemError], Result],
    ) -> list[Result]:
        """The results of a unary call's items, in order, a window of them at a time."""
        record.items = len(items)
        if not 1 <= len(items) <= self._settings.max_items:
            raise InvalidCall(f"a call has 1 to {self._settings.max_items} items, not {len(items)}")
        with self._admission.enter(Load(len(items), sum(map(size, items)))):
            if len(items) == 1:
                # A search: neither a window nor a task of its own.
                return [await self._one(record, lambda: work(items[0]), failed)]
            window = asyncio.Semaphore(self._settings.call_window)

            async def one(item: Item) -> Result:
                async with window:
                    return await self._one(record, lambda: work(item), failed)

            return await together(one(item) for item in items)

    async def _one(
        self,
        record: CallRecord,
        work: Callable[[], Coroutine[None, None, Result]],
        failed: Callable[[ItemError], Result],
    ) -> Result:
        """One item's result; its own error is a result too and never fails its neighbours."""
        try:
            result = await work()
        except ItemError as error:
            record.errors[error.reason] += 1
            self._metrics.item(record.rpc, error.reason)
            return failed(error)
        except InferenceError:
            raise  # of the call as a whole
        except Exception:  # noqa: BLE001 - a bug that one image brings out costs that image only
            _log.exception("unexpected_error", rpc=record.rpc, request_id=record.request_id)
            fault = ModelFault("an internal error")
            record.errors[fault.reason] += 1
            self._metrics.item(record.rpc, fault.reason)
            return failed(fault)
        self._metrics.item(record.rpc, "OK")
        return result

    @asynccontextmanager
    async def _serve(
        self, rpc: str, context: Context | StreamContext
    ) -> AsyncIterator[tuple[Engine, CallRecord]]:
        """The frame of every call: its record, its log line, its status if it fails as a whole."""
        metadata = context.invocation_metadata() or ()
        trace = self._tracing.call(rpc, metadata)
        call = Call.begin(f"{rpc}-{next(self._numbers)}", context.time_remaining(), trace)
        record = CallRecord(rpc, request_id(metadata), call)
        code = grpc.StatusCode.OK
        details: bytes | None = None
        message = ""
        try:
            if self._engine is None:
                raise Draining("the server is starting")
            yield self._engine, record
        except InvalidCall as error:
            code, message = grpc.StatusCode.INVALID_ARGUMENT, str(error)
        except Overloaded as error:
            code, message = grpc.StatusCode.RESOURCE_EXHAUSTED, str(error)
            details = translate.overloaded_details(message, error.retry_after_seconds)
        except Draining as error:
            code, message = grpc.StatusCode.UNAVAILABLE, str(error)
        except DeadlinePassed as error:
            code, message = grpc.StatusCode.DEADLINE_EXCEEDED, str(error)
        except asyncio.CancelledError:
            # grpc.aio cancels the handler when the client goes, and when the deadline passes.
            is_late = call.is_expired(time.monotonic())
            codes = grpc.StatusCode
            self._ended(record, codes.DEADLINE_EXCEEDED if is_late else codes.CANCELLED)
            raise
        except Exception:  # noqa: BLE001 - the outermost frame of a call
            _log.exception("unexpected_error", rpc=rpc, request_id=record.request_id)
            code, message = grpc.StatusCode.INTERNAL, "an internal error; the log has this request"
        self._ended(record, code)
        if code is not grpc.StatusCode.OK:
            trailer = () if details is None else (("grpc-status-details-bin", details),)
            await context.abort(code, message, trailer)

    def _ended(self, record: CallRecord, code: grpc.StatusCode) -> None:
        self._metrics.call(
            record.rpc, code.name, None if record.rpc == STREAM else record.elapsed_seconds
        )
        record.end_trace(code.name)
        self._call_log.info("request", status=code.name, **record.fields())


async def _analyze(
    engine: Engine, record: CallRecord, image: pb.Image, options: AnalyzeOptions
) -> pb.ImageResult:
    analysis = await engine.analyze(image.data, options, record.call, translate.region(image))
    record.analysed(analysis)
    return translate.image_result(analysis)


async def _embed(engine: Engine, item: pb.EmbedItem, call: Call) -> EmbeddedFace:
    match item.WhichOneof("source"):
        case "face":
            points = translate.landmarks(item.face.landmarks)
            return await engine.embed_face(item.face.image.data, points, call)
        case "aligned_crop":
            return await engine.embed_crop(item.aligned_crop, call)
        case _:
            raise InvalidLandmarks("an item needs a face with landmarks, or an aligned crop")
