"""How the inference server starts, refuses to start, and stops."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from facesearch.inference.v1 import inference_pb2 as pb
from inference.models.licence import licence_of
from inference.models.pack import load_pack
from tests.conftest import missing
from tests.integration.inference_calls import CALL_SECONDS, analyze, code_of, image, stub_of
from tests.integration.processes import (
    inference_environment,
    run,
    start_inference,
)

pytestmark = [pytest.mark.slow, pytest.mark.pack]

COMMAND = [sys.executable, "-m", "inference"]
Status = health_pb2.HealthCheckResponse


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca.pem, and key and certificate of "server" and "client", both signed by it."""
    if shutil.which("openssl") is None:
        missing("openssl, to make certificates")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "rsa:2048", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
    for name in ("server", "client"):
        openssl(
            *("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr"),
            *("-subj", f"/CN={name}"),
        )
        openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem"),
            *("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"),
        )
    return folder


@pytest.fixture
def portrait(shared: Path) -> pb.Image:
    return image(shared / "data" / "photos" / "RD_d3.jpeg")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield int(holder.getsockname()[1])


def health_of(port: int) -> int:
    """A HealthCheckResponse.ServingStatus."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=30, wait_for_ready=True)
        return int(answer.status)


class TestRefusesToStart:
    """One line on stderr that says what to do, exit code 2, no traceback."""

    def refusal(self, env: dict[str, str]) -> str:
        with run(COMMAND, env) as process:
            assert process.wait(90) == 2, process.text()
            lines = process.lines("stderr")
        assert len(lines) == 1, lines
        return lines[0]

    def test_when_the_port_is_taken(self, pack_dir: Path, taken_port: int) -> None:
        line = self.refusal(inference_environment(pack_dir, PORT=str(taken_port)))
        assert f"127.0.0.1:{taken_port}" in line
        assert "in use" in line

    def test_when_another_server_of_ours_has_the_port(self, pack_dir: Path) -> None:
        with start_inference(pack_dir) as first:
            line = self.refusal(inference_environment(pack_dir, PORT=str(first.port)))
        assert "in use" in line

    def test_when_the_port_of_the_metrics_is_taken(self, pack_dir: Path, taken_port: int) -> None:
        line = self.refusal(inference_environment(pack_dir, METRICS_PORT=str(taken_port)))
        assert "INFERENCE_METRICS_PORT" in line

    def test_when_there_is_no_such_pack(self, tmp_path: Path) -> None:
        environment = inference_environment(Path("no_such_pack"), MODELS_DIR=str(tmp_path))
        line = self.refusal(environment)
        assert "no_such_pack" in line
        assert "facesearch models pull" in line

    def test_when_the_pack_is_damaged(self, tmp_path: Path, pack_dir: Path) -> None:
        copy = tmp_path / "damaged"
        shutil.copytree(pack_dir, copy)
        detector = copy / load_pack(pack_dir).detector.name
        detector.chmod(0o644)
        os.truncate(detector, detector.stat().st_size // 2)
        assert detector.name in self.refusal(inference_environment(copy))

    def test_when_the_dim_is_not_the_expected_one(self, pack_dir: Path) -> None:
        line = self.refusal(inference_environment(pack_dir, EXPECT_DIM="77"))
        assert "77" in line

    def test_when_a_gpu_is_asked_for_that_is_not_there(self, pack_dir: Path) -> None:
        line = self.refusal(inference_environment(pack_dir, DEVICE="cuda:99"))
        assert "cuda:99" in line

    def test_when_a_setting_is_unknown(self, pack_dir: Path) -> None:
        line = self.refusal(inference_environment(pack_dir, THREDS="2"))
        assert "INFERENCE_THREDS" in line
        assert "INFERENCE_THREADS" in line

    def test_when_the_certificate_cannot_be_read(self, pack_dir: Path) -> None:
        line = self.refusal(
            inference_environment(
                pack_dir, TLS_CERT="/proc/nowhere.pem", TLS_KEY="/proc/nowhere.key"
            )
        )
        assert "/proc/nowhere" in line

    def test_when_the_certificate_is_none(self, pack_dir: Path, tmp_path: Path) -> None:
        junk = tmp_path / "junk.pem"
        junk.write_text("junk")
        line = self.refusal(inference_environment(pack_dir, TLS_CERT=str(junk), TLS_KEY=str(junk)))
        assert "INFERENCE_TLS_CERT" in line

    def test_when_the_folder_of_the_socket_is_missing(self, pack_dir: Path) -> None:
        line = self.refusal(inference_environment(pack_dir, UNIX_SOCKET="/proc/nowhere/x.sock"))
        assert "/proc/nowhere" in line


class TestStarts:
    def test_health_says_not_serving_and_calls_are_unavailable_until_models_are_warm(
        self, tmp_path: Path, portrait: pb.Image
    ) -> None:
        # A file that nobody ever writes to: loading goes on for as long as the test wants.
        endless = tmp_path / "endless"
        endless.mkdir()
        os.mkfifo(endless / "det.onnx")
        (endless / "rec.onnx").touch()
        files = "".join(
            f"[[files]]\nname = '{role[:3]}.onnx'\nrole = '{role}'\nsha256 = '{'0' * 64}'\n"
            for role in ("detector", "recogniser")
        )
        (endless / "pack.toml").write_text(f"id = 'x'\nversion = '1'\ndim = 128\n{files}")
        with run(COMMAND, inference_environment(endless)) as process:
            port = process.wait_for_event("listening")["port"]
            assert isinstance(port, int)
            assert health_of(port) == Status.NOT_SERVING
            with stub_of(f"127.0.0.1:{port}") as stub, pytest.raises(grpc.RpcError) as refused:
                analyze(stub, [portrait])
            assert code_of(refused.value) is grpc.StatusCode.UNAVAILABLE
            assert process.events("serving") == []

    def test_it_also_serves_on_a_unix_socket(
        self, pack_dir: Path, tmp_path: Path, portrait: pb.Image
    ) -> None:
        path = tmp_path / "inference.sock"
        with (
            start_inference(pack_dir, UNIX_SOCKET=str(path)) as server,
            stub_of(f"unix:{path}") as stub,
        ):
            assert server.ready["unix_socket"] == str(path)
            assert len(analyze(stub, [portrait])[0].faces) == 1

    @pytest.mark.parametrize(
        ("runtime", "provider"), [("onnxruntime", "CPUExecutionProvider"), ("openvino", "CPU")]
    )
    def test_the_line_that_says_serving_says_what_is_served(
        self, pack_dir: Path, runtime: str, provider: str
    ) -> None:
        if find_spec(runtime) is None:
            pytest.skip(f"needs {runtime}")
        with start_inference(pack_dir, RUNTIME=runtime) as server:
            assert server.ready["pack"] == pack_dir.name
            assert server.ready["device"] == "cpu"
            for network in ("detector", "recogniser"):
                assert str(server.ready[f"{network}_runtime"]).startswith(f"{runtime} ")
            assert server.ready["providers"] == [provider]
            assert {"version", "space_id", "dim", "address"} <= set(server.ready)
            assert server.ready["licence"] == licence_of(load_pack(pack_dir))


class TestTls:
    def test_with_client_certificates_only_their_holders_are_served(
        self, pack_dir: Path, certificates: Path, portrait: pb.Image
    ) -> None:
        def pem(name: str) -> bytes:
            return (certificates / name).read_bytes()

        anyone = grpc.ssl_channel_credentials(pem("ca.pem"))
        known = grpc.ssl_channel_credentials(pem("ca.pem"), pem("client.key"), pem("client.pem"))
        settings = {
            "TLS_CERT": str(certificates / "server.pem"),
            "TLS_KEY": str(certificates / "server.key"),
            "TLS_CLIENT_CA": str(certificates / "ca.pem"),
        }
        with start_inference(pack_dir, **settings) as server:
            with stub_of(server.address, known) as stub:
                assert len(analyze(stub, [portrait])[0].faces) == 1
            for credentials in (anyone, None):
                with (
                    stub_of(server.address, credentials) as stub,
                    pytest.raises(grpc.RpcError) as refused,
                ):
                    analyze(stub, [portrait])
                assert code_of(refused.value) is grpc.StatusCode.UNAVAILABLE


class TestStops:
    def test_sigterm_under_load_finishes_what_is_in_flight_and_exits_0(
        self, pack_dir: Path, portrait: pb.Image
    ) -> None:
        request = pb.AnalyzeRequest(images=[portrait] * 8)
        with start_inference(pack_dir) as server, stub_of(server.address) as stub:
            calls = [stub.Analyze.future(request, timeout=CALL_SECONDS) for _ in range(6)]
            # The others were sent before it on the same connection.
            analyze(stub, [portrait])
            server.send(signal.SIGTERM)
            assert [len(call.result().results) for call in calls] == [8] * 6
            assert server.wait() == 0
            assert server.events("stopped")

    def test_sigterm_answers_what_a_stream_has_sent_and_then_says_unavailable(
        self, pack_dir: Path, portrait: pb.Image
    ) -> None:
        with start_inference(pack_dir, CALL_WINDOW="2") as server, stub_of(server.address) as stub:
            sent = 0

            def requests() -> Iterator[pb.AnalyzeStreamRequest]:
                nonlocal sent
                for number in range(10_000):
                    sent += 1
                    yield pb.AnalyzeStreamRequest(id=str(number), image=portrait)

            answers = stub.AnalyzeStream(requests(), timeout=CALL_SECONDS)
            answered = [next(answers).id for _ in range(3)]
            server.send(signal.SIGTERM)
            with pytest.raises(grpc.RpcError) as ended:
                answered.extend(answer.id for answer in answers)
            assert code_of(ended.value) is grpc.StatusCode.UNAVAILABLE
            assert server.wait() == 0
            (line,) = (line for line in server.events("request") if line["rpc"] == "AnalyzeStream")
        # What the server has read it has answered, each once.
        assert line["items"] == len(answered) == len(set(answered))
        assert 3 <= len(answered) < sent

    def test_while_it_drains_health_says_not_serving_and_calls_are_still_served(
        self, pack_dir: Path, portrait: pb.Image
    ) -> None:
        with (
            start_inference(pack_dir, DRAIN_DELAY_SECONDS="60") as server,
            stub_of(server.address) as stub,
        ):
            server.send(signal.SIGTERM)
            server.wait_for_event("draining")
            assert health_of(server.port) == Status.NOT_SERVING
            assert len(analyze(stub, [portrait])[0].faces) == 1
            assert server.returncode is None

            server.send(signal.SIGTERM)  # the second one ends it at once
            assert server.wait(10) == 128 + signal.SIGTERM

    def test_ctrl_c_drains_too(self, pack_dir: Path) -> None:
        with start_inference(pack_dir) as server:
            server.send(signal.SIGINT)
            assert server.wait() == 0
            assert server.lines("stderr") == []
