"""The inference server as its callers see it: a real process, real weights, real photos."""

from __future__ import annotations

import math
import socket
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from facesearch.inference.v1 import inference_pb2 as pb
from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceStub
from tests.integration.inference_calls import (
    CALL_SECONDS,
    analyze,
    code_of,
    corners,
    cosine,
    image,
    reason,
    retry_seconds,
    stub_of,
    vector,
)
from tests.integration.processes import Running, start_inference

pytestmark = [pytest.mark.slow, pytest.mark.pack]

SERVICE = "facesearch.inference.v1.InferenceService"
PORTRAITS = ("RD_d1.jpeg", "RD_d2.jpeg", "RD_d3.jpeg", "bulk_Rob_Lowe_0001.jpg", "bulk_woman.png")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(pack_dir: Path, metrics_port: int) -> Iterator[Running]:
    with start_inference(
        pack_dir, MAX_ITEMS="16", MAX_BATCH="4", METRICS_PORT=str(metrics_port)
    ) as running:
        yield running


@pytest.fixture(scope="module")
def stub(server: Running) -> Iterator[InferenceServiceStub]:
    with stub_of(server.address) as made:
        yield made


@pytest.fixture(scope="module")
def photos(shared: Path) -> Path:
    return shared / "data" / "photos"


@pytest.fixture
def read_metrics(metrics_port: int) -> dict[str, float]:
    """Every sample of /metrics, read when the test asks for one."""

    class Samples(dict[str, float]):
        def __missing__(self, name: str) -> float:
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics") as answer:
                for line in answer.read().decode().splitlines():
                    sample, _, value = line.rpartition(" ")
                    if sample == name:
                        return float(value)
            raise KeyError(name)

    return Samples()


class TestHealthAndReflection:
    @pytest.mark.parametrize("name", ["", SERVICE])
    def test_health_says_serving(self, server: Running, name: str) -> None:
        with grpc.insecure_channel(server.address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

    def test_health_knows_no_other_service(self, server: Running) -> None:
        with grpc.insecure_channel(server.address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            with pytest.raises(grpc.RpcError) as refused:
                health.Check(health_pb2.HealthCheckRequest(service="other"), timeout=10)
        assert code_of(refused.value) is grpc.StatusCode.NOT_FOUND

    def test_reflection_lists_and_describes_as_grpcurl_asks(self, server: Running) -> None:
        with grpc.insecure_channel(server.address) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            assert {SERVICE, "grpc.health.v1.Health"} <= set(database.get_services())
            service = DescriptorPool(database).FindServiceByName(SERVICE)
        methods = {method.name for method in service.methods}
        assert methods == {"Detect", "Embed", "Analyze", "AnalyzeStream", "GetModelInfo"}
        fields = service.methods_by_name["Analyze"].input_type.fields_by_name
        assert list(fields) == ["images", "options", "embed", "return_crops"]


class TestModelInfo:
    def test_it_says_what_is_loaded(self, stub: InferenceServiceStub, server: Running) -> None:
        info = stub.GetModelInfo(pb.GetModelInfoRequest(), timeout=10)
        assert info.model.pack == server.ready["pack"]
        assert info.model.dim == server.ready["dim"]
        assert info.model.space_id == server.ready["space_id"]
        assert len(info.digest) == 64
        assert [network.role for network in info.networks] == ["detector", "recogniser"]
        for network in info.networks:
            assert network.runtime == server.ready[f"{network.role}_runtime"]
            is_onnxruntime = network.runtime.startswith("onnxruntime ")
            assert network.providers == server.ready["providers"]
            assert network.devices == ["cpu"]
            assert network.batched is is_onnxruntime, "OpenVINO gains nothing from batches"
        assert info.limits.max_items == 16
        assert list(info.look_sizes) == server.ready["look_sizes"] != []


class TestAnalyze:
    def test_batched_equals_single(
        self, stub: InferenceServiceStub, photos: Path, read_metrics: dict[str, float]
    ) -> None:
        images = [image(path) for path in sorted(photos.iterdir())[:16]]
        singly = [analyze(stub, [one])[0] for one in images]
        runs_before = read_metrics['facesearch_inference_batch_size_count{queue="detector"}']
        batched = analyze(stub, images)
        runs = read_metrics['facesearch_inference_batch_size_count{queue="detector"}'] - runs_before

        # Three looks an image: fewer runs than that means that images did share runs.
        assert runs < 3 * len(images)
        assert sum(len(result.faces) for result in singly) > 8
        for one, other in zip(singly, batched, strict=True):
            assert len(one.faces) == len(other.faces)
            for alone, together in zip(one.faces, other.faces, strict=True):
                assert np.abs(corners(alone) - corners(together)).max() <= 0.1
                assert cosine(alone.embedding, together.embedding) >= 0.9999

    def test_a_portrait_shows_one_face_inside_with_a_unit_vector(
        self, stub: InferenceServiceStub, photos: Path, server: Running
    ) -> None:
        result = analyze(stub, [image(photos / "RD_d3.jpeg")])[0]
        assert (result.width, result.height) == (690, 1035)
        assert result.faces_counted == 1
        face = result.faces[0]
        assert face.counts
        assert face.detection_score >= 0.5
        assert len(face.landmarks) == 5
        assert len(face.embedding) == 4 * int(str(server.ready["dim"]))
        assert np.linalg.norm(vector(face.embedding)) == pytest.approx(1, abs=1e-5)
        assert 0 < face.quality.overall <= 1
        assert result.timing.detect_seconds > 0

    def test_photos_of_one_person_are_nearer_than_of_two(
        self, stub: InferenceServiceStub, photos: Path
    ) -> None:
        results = analyze(stub, [image(photos / name) for name in PORTRAITS])
        man, again, _, other, _ = (result.faces[0].embedding for result in results)
        assert cosine(man, again) > 0.5 > cosine(man, other)

    def test_a_damaged_image_never_fails_its_neighbours(
        self, stub: InferenceServiceStub, photos: Path
    ) -> None:
        good = image(photos / "RD_d3.jpeg")
        truncated = pb.Image(data=good.data[: len(good.data) // 2])
        results = analyze(stub, [good, truncated, pb.Image(data=b"nonsense"), pb.Image(), good])
        assert [result.status.code for result in results] == [0, 3, 3, 3, 0]
        assert {reason(result.status) for result in results[1:4]} == {"INVALID_IMAGE_FORMAT"}
        assert len(results[0].faces) == len(results[4].faces) == 1

    def test_a_region_is_looked_at_alone_and_stays_in_the_frame_of_the_photo(
        self, stub: InferenceServiceStub, photos: Path
    ) -> None:
        whole = image(photos / "RD_d3.jpeg")
        face = analyze(stub, [whole])[0].faces[0]
        box = face.box
        around = pb.Box(
            x=box.x - box.width / 2,
            y=box.y - box.height / 2,
            width=2 * box.width,
            height=2 * box.height,
        )
        below = pb.Box(x=0, y=box.y + 2 * box.height, width=690, height=100)
        outside = pb.Box(x=5000, y=0, width=10, height=10)
        nothing = pb.Box(x=math.nan, y=0, width=10, height=10)
        found, missed, *refused = analyze(
            stub,
            [
                pb.Image(data=whole.data, region=region)
                for region in (around, below, outside, nothing)
            ],
        )
        overlap = np.abs(corners(found.faces[0]) - corners(face)).max()
        assert overlap < 0.2 * max(box.width, box.height)
        assert len(missed.faces) == 0
        assert [reason(result.status) for result in refused] == ["INVALID_REGION"] * 2

    def test_single_embeds_the_one_face_that_counts_with_its_crop(
        self, stub: InferenceServiceStub, photos: Path
    ) -> None:
        options = pb.DetectOptions(look=pb.LOOK_EARLY_STOP)
        face = analyze(
            stub,
            [image(photos / "RD_d3.jpeg")],
            embed=pb.EMBED_MODE_SINGLE,
            options=options,
            return_crops=True,
        )[0].faces[0]
        assert face.embedding
        assert face.crop.startswith(b"\x89PNG")


class TestDetect:
    def test_it_finds_what_analyze_finds_and_embeds_nothing(
        self, stub: InferenceServiceStub, photos: Path
    ) -> None:
        images = [image(photos / name) for name in PORTRAITS]
        detected = stub.Detect(pb.DetectRequest(images=images), timeout=CALL_SECONDS).results
        for one, other in zip(detected, analyze(stub, images), strict=True):
            assert len(one.faces) == len(other.faces) > 0
            assert not one.faces[0].embedding
            assert np.abs(corners(one.faces[0]) - corners(other.faces[0])).max() <= 0.1


class TestEmbed:
    def test_a_face_by_its_landmarks_or_its_crop_has_the_embedding_of_analyze(
        self, stub: InferenceServiceStub, photos: Path
    ) -> None:
        photo = image(photos / "RD_d3.jpeg")
        face = analyze(stub, [photo], return_crops=True)[0].faces[0]
        by_landmarks = pb.EmbedItem(
            face=pb.EmbedItem.ImageFace(image=photo, landmarks=face.landmarks)
        )
        by_crop = pb.EmbedItem(aligned_crop=face.crop)
        request = pb.EmbedRequest(items=[by_landmarks, by_crop], return_crops=True)
        for result in stub.Embed(request, timeout=CALL_SECONDS).results:
            assert cosine(result.embedding, face.embedding) >= 0.9999
            assert result.crop == face.crop

    def test_every_wrong_item_says_what_is_wrong_with_it(
        self, stub: InferenceServiceStub, photos: Path
    ) -> None:
        photo = image(photos / "RD_d3.jpeg")
        points = [pb.Point(x=x, y=y) for x, y in [(1, 1), (9, 1), (5, 5), (2, 9), (8, 9)]]
        beyond = [*points[:4], pb.Point(x=math.inf, y=0)]

        def face(landmarks: list[pb.Point]) -> pb.EmbedItem:
            return pb.EmbedItem(face=pb.EmbedItem.ImageFace(image=photo, landmarks=landmarks))

        items = [
            face(points[:4]),
            face(beyond),
            face(points[:1] * 5),
            pb.EmbedItem(aligned_crop=photo.data),
            pb.EmbedItem(aligned_crop=b"nonsense"),
            pb.EmbedItem(),
            face(points),
        ]
        results = stub.Embed(pb.EmbedRequest(items=items), timeout=CALL_SECONDS).results
        assert [reason(result.status) for result in results[:-1]] == [
            "INVALID_LANDMARKS",
            "INVALID_LANDMARKS",
            "INVALID_LANDMARKS",
            "INVALID_CROP",
            "INVALID_IMAGE_FORMAT",
            "INVALID_LANDMARKS",
        ]
        assert results[-1].embedding


class TestAnalyzeStream:
    def test_every_image_is_answered_once_and_as_by_analyze(
        self, stub: InferenceServiceStub, photos: Path
    ) -> None:
        paths = sorted(photos.iterdir())[:12]
        requests = [pb.AnalyzeStreamRequest(id=path.name, image=image(path)) for path in paths]
        requests.append(pb.AnalyzeStreamRequest(id="damaged", image=pb.Image(data=b"nonsense")))
        answers = list(stub.AnalyzeStream(iter(requests), timeout=CALL_SECONDS))

        assert sorted(answer.id for answer in answers) == sorted(one.id for one in requests)
        by_id = {answer.id: answer.result for answer in answers}
        assert reason(by_id["damaged"].status) == "INVALID_IMAGE_FORMAT"
        for path, single in zip(paths, analyze(stub, [image(p) for p in paths]), strict=True):
            streamed = by_id[path.name]
            assert len(streamed.faces) == len(single.faces)
            for one, other in zip(streamed.faces, single.faces, strict=True):
                assert cosine(one.embedding, other.embedding) >= 0.9999

    def test_options_hold_from_their_message_on(
        self, stub: InferenceServiceStub, photos: Path
    ) -> None:
        photo = image(photos / "RD_d3.jpeg")
        bare = pb.AnalyzeOptions(embed=pb.EMBED_MODE_NONE)
        requests = [
            pb.AnalyzeStreamRequest(id="default", image=photo),
            pb.AnalyzeStreamRequest(id="bare", image=photo, options=bare),
            pb.AnalyzeStreamRequest(id="still bare", image=photo),
        ]
        answers = stub.AnalyzeStream(iter(requests), timeout=CALL_SECONDS)
        embedded = {answer.id: bool(answer.result.faces[0].embedding) for answer in answers}
        assert embedded == {"default": True, "bare": False, "still bare": False}

    def test_an_id_that_is_too_long_fails_the_stream(self, stub: InferenceServiceStub) -> None:
        with pytest.raises(grpc.RpcError) as refused:
            list(stub.AnalyzeStream(iter([pb.AnalyzeStreamRequest(id="x" * 257)]), timeout=30))
        assert code_of(refused.value) is grpc.StatusCode.INVALID_ARGUMENT


class TestRefusals:
    @pytest.mark.parametrize("count", [0, 17])
    def test_too_few_or_too_many_items_fail_the_call(
        self, stub: InferenceServiceStub, count: int
    ) -> None:
        with pytest.raises(grpc.RpcError, match="1 to 16 items") as refused:
            analyze(stub, [pb.Image(data=b"x")] * count)
        assert code_of(refused.value) is grpc.StatusCode.INVALID_ARGUMENT

    @pytest.mark.parametrize(
        "options",
        [
            pb.DetectOptions(min_score=math.nan),
            pb.DetectOptions(min_score=1.5),
            pb.DetectOptions(counting=pb.Counting(min_inside=-0.1)),
            pb.DetectOptions(counting=pb.Counting(prominent_score=math.inf)),
        ],
    )
    def test_an_option_out_of_range_fails_the_call(
        self, stub: InferenceServiceStub, options: pb.DetectOptions
    ) -> None:
        with pytest.raises(grpc.RpcError, match="between 0 and 1") as refused:
            analyze(stub, [pb.Image(data=b"x")], options=options)
        assert code_of(refused.value) is grpc.StatusCode.INVALID_ARGUMENT

    def test_a_message_too_large_must_not_be_sent_again(self, pack_dir: Path) -> None:
        limits = {"MAX_MESSAGE_BYTES": "100000", "MAX_IMAGE_BYTES": "100000"}
        with (
            start_inference(pack_dir, **limits) as small,
            stub_of(small.address) as stub,
            pytest.raises(grpc.RpcError) as refused,
        ):
            analyze(stub, [pb.Image(data=bytes(200_000))])
        assert code_of(refused.value) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert retry_seconds(refused.value) is None

    def test_a_full_server_refuses_at_once_and_says_when_to_come_back(
        self, pack_dir: Path, photos: Path
    ) -> None:
        photo = image(photos / "RD_d3.jpeg")
        with (
            start_inference(pack_dir, QUEUE_ITEMS="4", MAX_ITEMS="4") as small,
            stub_of(small.address) as stub,
            ThreadPoolExecutor(12) as callers,
        ):
            calls = [callers.submit(analyze, stub, [photo] * 4) for _ in range(12)]
            errors = [error for call in calls if (error := call.exception()) is not None]
            assert len(analyze(stub, [photo] * 4)) == 4  # back by itself
        assert 0 < len(errors) < len(calls)
        for error in errors:
            assert isinstance(error, grpc.RpcError)
            assert code_of(error) is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert (retry_seconds(error) or 0) > 0

    def test_a_deadline_is_kept_and_the_work_behind_it_dropped(
        self, stub: InferenceServiceStub, photos: Path, read_metrics: dict[str, float]
    ) -> None:
        photo = image(photos / "RD_d3.jpeg")
        runs = 'facesearch_inference_batch_size_sum{queue="detector"}'
        before = read_metrics[runs]
        start = time.monotonic()
        with pytest.raises(grpc.RpcError) as late:
            stub.Analyze(pb.AnalyzeRequest(images=[photo] * 16), timeout=0.15)
        assert code_of(late.value) is grpc.StatusCode.DEADLINE_EXCEEDED
        assert time.monotonic() - start < 2
        assert len(analyze(stub, [photo])[0].faces) == 1
        # Three looks at the one photo, and far fewer than three at each of the sixteen.
        assert read_metrics[runs] - before < 3 + 3 * 16 / 2

    def test_a_cancelled_call_stops_its_work(
        self, stub: InferenceServiceStub, photos: Path, server: Running
    ) -> None:
        photo = image(photos / "RD_d3.jpeg")
        call = stub.Analyze.future(
            pb.AnalyzeRequest(images=[photo] * 16), metadata=(("x-request-id", "to-cancel"),)
        )
        call.cancel()
        assert len(analyze(stub, [photo])[0].faces) == 1
        ended = [line for line in server.events("request") if line["request_id"] == "to-cancel"]
        assert [line["status"] for line in ended] in ([], ["CANCELLED"])


class TestObservability:
    def test_a_call_is_one_line_with_its_request_id_and_nothing_of_the_photo(
        self, stub: InferenceServiceStub, photos: Path, server: Running
    ) -> None:
        request = pb.AnalyzeRequest(images=[image(photos / "RD_d3.jpeg"), pb.Image(data=b"x")])
        metadata = (("x-request-id", "asked-by-a-test"),)
        stub.Analyze(request, timeout=CALL_SECONDS, metadata=metadata)
        stub.GetModelInfo(pb.GetModelInfoRequest(), metadata=(("x-request-id", "after"),))
        server.wait_for_event("request", request_id="after")
        own = [x for x in server.events("request") if x["request_id"] == "asked-by-a-test"]
        assert len(own) == 1
        assert own[0]["rpc"] == "Analyze"
        assert own[0]["status"] == "OK"
        assert own[0]["items"] == 2
        assert own[0]["faces"] == 1
        assert own[0]["item_errors"] == {"INVALID_IMAGE_FORMAT": 1}
        assert set(own[0]["stages_ms"]) == {"decode", "detect", "align", "embed"}  # type: ignore[call-overload]
        assert len(str(own[0])) < 500

    def test_metrics_count_items_faces_and_stages(
        self, stub: InferenceServiceStub, photos: Path, read_metrics: dict[str, float]
    ) -> None:
        faces = read_metrics["facesearch_inference_faces_total"]
        calls = 'facesearch_inference_calls_total{code="OK",rpc="Analyze"}'
        before = read_metrics[calls]
        analyze(stub, [image(photos / "RD_d3.jpeg")])
        assert read_metrics[calls] == before + 1
        assert read_metrics["facesearch_inference_faces_total"] == faces + 1
        assert read_metrics['facesearch_inference_stage_seconds_count{stage="embed"}'] > 0
        assert read_metrics['facesearch_inference_queue_seconds_count{queue="recogniser"}'] > 0
        assert read_metrics["facesearch_inference_items_in_flight"] == 0
