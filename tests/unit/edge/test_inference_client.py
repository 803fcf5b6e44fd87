"""The inference client, against a real gRPC server with scripted answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2

from edge.deadline import request_scope
from edge.errors import (
    DeadlineExceeded,
    ImageTooLarge,
    InferenceUnavailable,
    InvalidImage,
    InvalidParameter,
    Overloaded,
)
from edge.inference_channel import CallPolicy, may_be_several
from edge.inference_client import GrpcFaceAnalyzer
from edge.inference_errors import InferenceFault
from edge.use_cases.model import Counting, Embed, LookPolicy, SeenPhoto
from facesearch.inference.v1 import inference_pb2 as pb
from storage.records.model import Box
from tests.unit.edge.inference_server import (
    SERVICE,
    VECTOR,
    Context,
    ScriptedInference,
    aborting,
    failed_item,
    serving,
)

# Patient, for a machine that is busy; what gives up at once says so.
PATIENT = CallPolicy(retry_seconds=20.0, timeout_seconds=20.0, rest_seconds=0.2)
AT_ONCE = CallPolicy(retry_seconds=0.0, timeout_seconds=20.0)
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
RETRY = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=2, nanos=500_000_000))


@pytest.fixture
async def inference() -> AsyncIterator[ScriptedInference]:
    service = ScriptedInference()
    async with serving(service):
        yield service


@pytest.fixture
async def client(inference: ScriptedInference) -> AsyncIterator[GrpcFaceAnalyzer]:
    client = GrpcFaceAnalyzer([inference.target], policy=PATIENT)
    yield client
    await client.close()


async def look(client: GrpcFaceAnalyzer, image: bytes = b"photo") -> SeenPhoto:
    return await client.analyze(image, look=LookPolicy.FULL, embed=Embed.ALL)


async def test_a_photo_comes_back_with_its_faces_as_values(client: GrpcFaceAnalyzer) -> None:
    seen = await look(client)
    assert (seen.width, seen.height) == (640, 480)
    (face,) = seen.faces
    assert face.face.box == Box(1, 2, 30, 40)
    assert list(face.face.landmarks) == [(n, n + 1) for n in range(5)]
    assert face.face.detection_score == 0.75
    assert face.face.quality.yaw == -8
    assert face.counts
    assert face.embedding is not None
    assert face.embedding.dtype.str == "<f4"
    np.testing.assert_array_equal(face.embedding, VECTOR)
    assert seen.model.space_id == "s_scripted"
    assert seen.inference_seconds > 0


async def test_the_options_of_a_call_are_sent(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    await client.analyze(
        b"photo",
        look=LookPolicy.EARLY_STOP,
        embed=Embed.SINGLE,
        counting=Counting(prominent_fraction=0.75),
        region=Box(1, 2, 3, 4),
    )
    request = cast("pb.AnalyzeRequest", inference.requests[0])
    assert request.images[0].data == b"photo"
    assert request.images[0].region == pb.Box(x=1, y=2, width=3, height=4)
    assert request.options.look == pb.LOOK_EARLY_STOP
    assert request.options.counting.prominent_fraction == 0.75
    assert request.embed == pb.EMBED_MODE_SINGLE


async def test_no_region_means_the_whole_photo(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    await look(client)
    request = cast("pb.AnalyzeRequest", inference.requests[0])
    assert not request.images[0].HasField("region")


async def test_a_face_is_embedded_by_its_landmarks(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    vector, model = await client.embed(b"photo", [(float(n), 0.5) for n in range(5)])
    np.testing.assert_array_equal(vector, VECTOR)
    assert model.pack == "scripted"
    request = cast("pb.EmbedRequest", inference.requests[0])
    assert [point.x for point in request.items[0].face.landmarks] == [0, 1, 2, 3, 4]


async def test_deadline_request_id_and_trace_go_with_the_call(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    with request_scope(timeout_seconds=7.0, request_id="r-1", traceparent="00-ab-cd-01"):
        await look(client)
    assert inference.seconds[0] <= 7.0
    assert inference.metadata[0]["x-request-id"] == "r-1"
    assert inference.metadata[0]["traceparent"] == "00-ab-cd-01"


async def test_the_model_is_known_without_a_call_once_inference_answered(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    await look(client)
    assert (await client.model()).pack == "scripted"
    assert inference.asked == ["Analyze"]


async def test_before_any_answer_the_model_is_asked_for_once(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    assert await client.model() == await client.model()
    assert inference.asked == ["GetModelInfo"]


async def test_the_recommended_threshold_follows_the_model_that_answers(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    assert await client.recommended_threshold(1e-4) == pytest.approx(0.42)
    assert await client.recommended_threshold(1e-4) == pytest.approx(0.42)
    assert inference.asked == ["GetModelInfo"]
    assert await client.recommended_threshold(1e-6) is None

    inference.model = pb.Model(pack="better", version="2", space_id="s_better", dim=4)
    inference.thresholds = ((1e-4, 0.3),)
    await look(client)
    assert (await client.model()).pack == "better"
    assert await client.recommended_threshold(1e-4) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_IMAGE_FORMAT", InvalidImage),
        (grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_TOO_LARGE", ImageTooLarge),
        (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REGION", InvalidParameter),
        (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_LANDMARKS", InferenceFault),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "", Overloaded),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "", DeadlineExceeded),
        (grpc.StatusCode.INTERNAL, "", InferenceFault),
    ],
)
async def test_what_is_wrong_with_an_image_is_told_apart(
    client: GrpcFaceAnalyzer,
    inference: ScriptedInference,
    code: grpc.StatusCode,
    reason: str,
    error: type[Exception],
) -> None:
    inference.item = failed_item(code, reason)
    with pytest.raises(error):
        await look(client)
    assert inference.asked == ["Analyze"]


async def test_a_full_queue_is_overloaded_with_the_time_to_come_back_and_not_asked_again(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    inference.always = aborting(grpc.StatusCode.RESOURCE_EXHAUSTED, RETRY)
    with pytest.raises(Overloaded) as caught:
        await look(client)
    assert caught.value.retry_after_seconds == 2.5
    assert inference.asked == ["Analyze"]


async def test_a_message_that_is_too_large_is_an_image_that_is_too_large(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    inference.always = aborting(grpc.StatusCode.RESOURCE_EXHAUSTED)
    with pytest.raises(ImageTooLarge):
        await look(client)
    assert inference.asked == ["Analyze"]


async def test_an_image_above_the_message_limit_is_not_sent(inference: ScriptedInference) -> None:
    client = GrpcFaceAnalyzer([inference.target], policy=CallPolicy(max_message_bytes=1024))
    with pytest.raises(ImageTooLarge):
        await look(client, b"x" * 2048)
    assert inference.asked == []
    await client.close()


async def test_a_call_that_found_inference_away_is_sent_again(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    inference.behaviours = [aborting(UNAVAILABLE), aborting(UNAVAILABLE)]
    assert (await look(client)).width == 640
    assert inference.asked == ["Analyze"] * 3


async def test_a_fault_of_inference_is_not_sent_again(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    inference.always = aborting(grpc.StatusCode.INTERNAL)
    with pytest.raises(InferenceFault):
        await look(client)
    assert inference.asked == ["Analyze"]


async def test_inference_that_stays_away_is_given_up(inference: ScriptedInference) -> None:
    client = GrpcFaceAnalyzer(
        [inference.target], policy=CallPolicy(retry_seconds=0.3, timeout_seconds=20.0)
    )
    inference.always = aborting(UNAVAILABLE)
    with pytest.raises(InferenceUnavailable):
        await look(client)
    assert len(inference.asked) > 1
    await client.close()


async def test_nothing_is_tried_again_past_the_deadline(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    inference.always = aborting(UNAVAILABLE)
    started = time.monotonic()
    with (
        request_scope(timeout_seconds=0.5),
        pytest.raises((InferenceUnavailable, DeadlineExceeded)),
    ):
        await look(client)
    assert time.monotonic() - started < PATIENT.retry_seconds / 2


async def test_slow_inference_ends_with_the_deadline_of_the_request(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    async def never(_context: Context) -> None:
        await asyncio.Event().wait()

    inference.always = never
    with request_scope(timeout_seconds=0.2), pytest.raises(DeadlineExceeded):
        await look(client)


async def test_a_request_whose_deadline_passed_is_not_sent(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    with request_scope(timeout_seconds=0.0), pytest.raises(DeadlineExceeded):
        await look(client)
    assert inference.asked == []


async def test_a_caller_that_goes_away_cancels_the_work(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    working, cancelled = asyncio.Event(), asyncio.Event()

    async def work(_context: Context) -> None:
        working.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    inference.always = work
    call = asyncio.create_task(look(client))
    await working.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(10):
        await cancelled.wait()


async def test_inference_that_restarts_is_back_by_itself() -> None:
    service = ScriptedInference()
    async with serving(service):
        client = GrpcFaceAnalyzer([service.target], policy=PATIENT)
        await look(client)
    hasty = GrpcFaceAnalyzer([service.target], policy=AT_ONCE)
    with pytest.raises(InferenceUnavailable):
        await look(hasty)
    async with serving(service):
        assert (await look(client)).width == 640
    await client.close()
    await hasty.close()


async def test_two_targets_are_taken_in_turn() -> None:
    one, two = ScriptedInference("one"), ScriptedInference("two")
    async with serving(one), serving(two):
        client = GrpcFaceAnalyzer([one.target, two.target], policy=PATIENT)
        for _ in range(4):
            await look(client)
        assert (len(one.asked), len(two.asked)) == (2, 2)
        await client.close()


async def test_a_busy_target_is_left_to_what_it_has() -> None:
    one, two = ScriptedInference("one"), ScriptedInference("two")
    go_on = asyncio.Event()

    async def wait(_: Context) -> None:
        await go_on.wait()

    one.behaviours = [wait]
    async with serving(one), serving(two):
        client = GrpcFaceAnalyzer([one.target, two.target], policy=PATIENT)
        waiting = asyncio.create_task(look(client))
        while not one.asked:  # noqa: ASYNC110  # in another task of the server
            await asyncio.sleep(0.01)
        for _ in range(4):
            await look(client)
        assert (len(one.asked), len(two.asked)) == (1, 4)
        go_on.set()
        await waiting
        await client.close()


async def test_a_dead_target_costs_nothing_but_its_turn() -> None:
    alive, dead = ScriptedInference("alive"), ScriptedInference("dead")
    async with serving(dead):
        pass  # its port is free again, and nobody listens
    async with serving(alive):
        client = GrpcFaceAnalyzer([dead.target, alive.target], policy=AT_ONCE)
        for _ in range(4):
            assert (await look(client)).width == 640
        assert len(alive.asked) == 4
        await client.close()


async def test_a_full_target_sends_the_call_to_the_other() -> None:
    full, idle = ScriptedInference("full"), ScriptedInference("idle")
    full.always = aborting(grpc.StatusCode.RESOURCE_EXHAUSTED, RETRY)
    async with serving(full), serving(idle):
        client = GrpcFaceAnalyzer([full.target, idle.target], policy=PATIENT)
        for _ in range(3):
            assert (await look(client)).width == 640
        assert len(idle.asked) == 3
        await client.close()


async def test_if_every_target_is_full_the_caller_is_told_when_to_come_back() -> None:
    one, two = ScriptedInference("one"), ScriptedInference("two")
    one.always = two.always = aborting(grpc.StatusCode.RESOURCE_EXHAUSTED, RETRY)
    async with serving(one), serving(two):
        client = GrpcFaceAnalyzer([one.target, two.target], policy=PATIENT)
        with pytest.raises(Overloaded):
            await look(client)
        assert (len(one.asked), len(two.asked)) == (1, 1)
        await client.close()


async def test_a_draining_server_gets_no_new_calls() -> None:
    draining, other = ScriptedInference("draining"), ScriptedInference("other")
    async with serving(draining) as health, serving(other):
        client = GrpcFaceAnalyzer([draining.target, other.target], policy=PATIENT)
        await look(client)
        await look(client)
        await health.set(SERVICE, health_pb2.HealthCheckResponse.NOT_SERVING)
        alone = GrpcFaceAnalyzer([draining.target], policy=AT_ONCE)
        with pytest.raises(InferenceUnavailable):
            await alone.ping()
        with pytest.raises(InferenceUnavailable):
            await look(alone)
        assert len(draining.asked) == 1
        await client.close()
        await alone.close()


async def test_ping_says_whether_anybody_serves(client: GrpcFaceAnalyzer) -> None:
    await client.ping()
    nobody = GrpcFaceAnalyzer(["127.0.0.1:1"], policy=AT_ONCE)
    with pytest.raises(InferenceUnavailable, match=r"127\.0\.0\.1:1"):
        await nobody.ping()
    await nobody.close()


async def test_a_unix_socket_is_a_target(tmp_path: Path) -> None:
    service = ScriptedInference()
    address = f"unix:{tmp_path / 'inference.sock'}"
    async with serving(service, address):
        client = GrpcFaceAnalyzer([address], policy=PATIENT)
        assert (await look(client)).width == 640
        await client.close()


async def test_an_embedding_of_the_wrong_length_is_a_fault(
    client: GrpcFaceAnalyzer, inference: ScriptedInference
) -> None:
    inference.model = pb.Model(pack="scripted", version="1", space_id="s", dim=512)
    with pytest.raises(InferenceFault):
        await look(client)


# A server that hangs: it takes calls and answers none

HASTY = CallPolicy(retry_seconds=20.0, timeout_seconds=20.0, silent_seconds=0.1)


async def hang(_context: Context) -> None:
    await asyncio.Event().wait()


async def test_a_call_to_a_server_that_hangs_is_answered_by_the_other() -> None:
    hanging, other = ScriptedInference("hanging", always=hang), ScriptedInference("other")
    async with serving(hanging), serving(other):
        client = GrpcFaceAnalyzer([hanging.target, other.target], policy=HASTY)
        for _ in range(4):
            assert (await look(client)).width == 640
        assert hanging.asked
        assert len(other.asked) == 4
        await client.close()


async def test_a_server_that_hangs_is_passed_over_while_others_answer() -> None:
    hanging, other = ScriptedInference("hanging", always=hang), ScriptedInference("other")
    policy = CallPolicy(timeout_seconds=20.0, silent_seconds=0.1, rest_seconds=60.0)
    async with serving(hanging), serving(other):
        client = GrpcFaceAnalyzer([hanging.target, other.target], policy=policy)
        for _ in range(6):
            await look(client)
        assert len(hanging.asked) == 1
        await client.close()


async def test_slow_servers_do_not_get_all_their_work_twice() -> None:
    one, two = ScriptedInference("one", always=hang), ScriptedInference("two", always=hang)
    policy = CallPolicy(timeout_seconds=20.0, silent_seconds=0.05, most_made_twice=2)
    async with serving(one), serving(two):
        client = GrpcFaceAnalyzer([one.target, two.target], policy=policy)
        calls = [asyncio.create_task(look(client)) for _ in range(6)]
        async with asyncio.timeout(10):
            while len(one.asked) + len(two.asked) < 8:  # noqa: ASYNC110  # in the server's tasks
                await asyncio.sleep(0.01)
        await asyncio.sleep(3 * policy.silent_seconds)  # the others have been silent as long
        assert len(one.asked) + len(two.asked) == 8
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await client.close()


async def test_a_lone_server_is_asked_once_however_slow(inference: ScriptedInference) -> None:
    go_on = asyncio.Event()

    async def wait(_: Context) -> None:
        await go_on.wait()

    inference.always = wait
    client = GrpcFaceAnalyzer([inference.target], policy=HASTY)
    call = asyncio.create_task(look(client))
    await asyncio.sleep(3 * HASTY.silent_seconds)
    go_on.set()
    await call
    assert inference.asked == ["Analyze"]
    await client.close()


async def test_one_that_answers_speaks_for_all_in_a_ping() -> None:
    async def mute(_request: bytes, context: Context) -> bytes:
        await hang(context)
        return b""

    server = grpc.aio.server()
    methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Check": grpc.unary_unary_rpc_method_handler(mute)
    }
    health = grpc.method_handlers_generic_handler("grpc.health.v1.Health", methods)
    server.add_generic_rpc_handlers((health,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    other = ScriptedInference("other")
    async with serving(other):
        client = GrpcFaceAnalyzer([f"127.0.0.1:{port}", other.target], policy=PATIENT)
        async with asyncio.timeout(PATIENT.timeout_seconds / 2):
            await client.ping()
        await client.close()
    await server.stop(None)


@pytest.mark.parametrize(
    ("address", "is_so"),
    [
        ("inference:50051", True),
        ("dns:///inference.image-search.svc:50051", True),
        ("dns://10.0.0.10/inference:50051", True),
        ("10.0.0.7:50051", False),
        ("[::1]:50051", False),
        ("ipv4:10.0.0.7:50051", False),
        ("dns:///10.0.0.7:50051", False),
        ("localhost:50051", False),
        ("unix:/run/inference.sock", False),
    ],
)
def test_a_name_may_stand_for_several_servers(address: str, is_so: bool) -> None:
    assert may_be_several(address) is is_so
