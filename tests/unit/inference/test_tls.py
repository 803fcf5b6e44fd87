"""The server's TLS: refused at the start if it cannot work, renewed without a start."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs

from facesearch.inference.v1 import inference_pb2 as pb
from facesearch.inference.v1.inference_pb2_grpc import InferenceServiceStub
from inference.errors import StartError
from inference.settings import load_settings
from inference.tls import server_credentials
from tests.certificates import DAY, Authority, Issued


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("ours")


@pytest.fixture
def issued(authority: Authority, tmp_path: Path) -> Issued:
    return authority.issue(tmp_path, "server")


def credentials_of(issued: Issued, client_ca: Path | None = None) -> grpc.ServerCredentials:
    settings = load_settings(
        {}, tls_cert=issued.certificate, tls_key=issued.key, tls_client_ca=client_ca
    )
    credentials = server_credentials(settings)
    assert credentials is not None
    return credentials


@asynccontextmanager
async def listening(credentials: grpc.ServerCredentials) -> AsyncIterator[int]:
    """A server without services; its port."""
    server = grpc.aio.server()
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


async def shown(port: int) -> str:
    """The certificate that the server shows now, PEM."""
    return await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port), timeout=30)


async def until(is_so: Callable[[], bool], port: int) -> None:
    """Connect until it is so: a server looks at its files when somebody connects."""
    async with asyncio.timeout(60):
        while not is_so():
            await shown(port)


def test_without_a_certificate_there_is_no_tls() -> None:
    assert server_credentials(load_settings({})) is None


def test_files_that_cannot_work_stop_the_start_and_are_named(
    authority: Authority, issued: Issued, tmp_path: Path
) -> None:
    old = authority.issue(tmp_path, "old", start=-10 * DAY, days=3)
    with pytest.raises(StartError, match=r"INFERENCE_TLS_CERT=.*old\.pem: has expired on"):
        credentials_of(old)
    with pytest.raises(StartError, match=r"INFERENCE_TLS_KEY=.*old\.key: is not the key of"):
        credentials_of(Issued(issued.certificate, old.key))
    with pytest.raises(StartError, match=r"INFERENCE_TLS_CLIENT_CA=.*server\.key: holds no cert"):
        credentials_of(issued, client_ca=issued.key)


@pytest.mark.parametrize("is_mutual", [False, True])
async def test_a_renewed_certificate_is_shown_from_the_next_connection_on(
    authority: Authority, issued: Issued, tmp_path: Path, *, is_mutual: bool
) -> None:
    client_ca = authority.write(tmp_path) if is_mutual else None
    async with listening(credentials_of(issued, client_ca)) as port:
        first = await shown(port)
        assert first == issued.certificate.read_text()
        assert await shown(port) == first
        authority.issue(tmp_path, "server")
        second = await shown(port)
        assert second == issued.certificate.read_text() != first


async def test_files_that_are_no_good_change_nothing_until_they_are(
    authority: Authority, issued: Issued, tmp_path: Path
) -> None:
    good = issued.key.read_bytes()
    with capture_logs() as lines:
        async with listening(credentials_of(issued)) as port:
            first = await shown(port)
            issued.key.write_bytes(b"junk")
            await until(lambda: any(line["log_level"] == "warning" for line in lines), port)
            assert await shown(port) == first
            issued.key.write_bytes(good)

            def is_read_again() -> bool:
                return [line["event"] for line in lines].count("certificate_read") == 2

            await until(is_read_again, port)
            assert await shown(port) == first
    (warning,) = {line["cause"] for line in lines if line["log_level"] == "warning"}
    assert warning == f"INFERENCE_TLS_KEY={issued.key}: holds no private key in PEM form"


async def test_authorities_of_clients_are_renewed_too(
    authority: Authority, issued: Issued, tmp_path: Path
) -> None:
    other = Authority("other")
    client = other.issue(tmp_path, "client")
    client_ca = authority.write(tmp_path)

    async def is_let_in(port: int) -> bool:
        credentials = grpc.ssl_channel_credentials(
            authority.pem, client.key.read_bytes(), client.certificate.read_bytes()
        )
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await InferenceServiceStub(channel).GetModelInfo(
                    pb.GetModelInfoRequest(), timeout=30
                )
        code = refused.value.code()
        assert code in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAVAILABLE)
        # Whoever is let in is told that there is no such service.
        return code is grpc.StatusCode.UNIMPLEMENTED

    async with listening(credentials_of(issued, client_ca)) as port:
        assert not await is_let_in(port)
        client_ca.write_bytes(authority.pem + other.pem)
        assert await is_let_in(port)
