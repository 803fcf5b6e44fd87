"""The edge over TLS, against a real gRPC server: who is let in, and what is said if not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs

from certificates.pem import PemFile
from edge.errors import InferenceTlsFault, InferenceUnavailable, StartRefused
from edge.inference_channel import CallPolicy
from edge.inference_client import GrpcFaceAnalyzer
from edge.inference_tls import ChannelFiles, InferenceTls, inference_tls
from edge.serve import _why_away
from edge.settings import load_settings
from edge.use_cases.model import Embed, LookPolicy
from tests.certificates import DAY, Authority, Issued
from tests.unit.edge.fakes import FakeFaceAnalyzer
from tests.unit.edge.inference_server import ScriptedInference, serving

PATIENT = CallPolicy(retry_seconds=20.0, timeout_seconds=20.0, rest_seconds=0.2)
AT_ONCE = CallPolicy(retry_seconds=0.0, timeout_seconds=20.0)


class Site:
    """An authority, and the certificates of a server and of an edge."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority("ours")
        self.stranger = Authority("somebody else's")
        self.ca = self.authority.write(folder)
        self.server = self.authority.issue(folder, "server")
        self.edge = self.authority.issue(folder, "edge")

    def credentials(
        self, issued: Issued | None = None, *, asks_for_certificates: bool = True
    ) -> grpc.ServerCredentials:
        """Of a server, by default with mTLS."""
        shown = issued or self.server
        return grpc.ssl_server_credentials(
            [(shown.key.read_bytes(), shown.certificate.read_bytes())],
            root_certificates=self.authority.pem if asks_for_certificates else None,
            require_client_auth=asks_for_certificates,
        )

    def tls(
        self, *, ca: Path | None = None, issued: Issued | None = None, server_name: str = ""
    ) -> InferenceTls:
        """Of an edge; `issued` None: without a certificate of its own."""
        return InferenceTls(
            PemFile("CA", ca or self.ca),
            None if issued is None else PemFile("CERT", issued.certificate),
            None if issued is None else PemFile("KEY", issued.key),
            server_name,
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@asynccontextmanager
async def edge_to(
    target: str, tls: InferenceTls | None, policy: CallPolicy = AT_ONCE
) -> AsyncIterator[GrpcFaceAnalyzer]:
    files = None if tls is None else ChannelFiles(tls)
    client = GrpcFaceAnalyzer([target], tls=files, policy=policy)
    try:
        yield client
    finally:
        await client.close()


async def width(client: GrpcFaceAnalyzer) -> int:
    """Of a photo that inference looked at."""
    seen = await client.analyze(b"photo", look=LookPolicy.FULL, embed=Embed.ALL)
    return seen.width


async def why_not(target: str, tls: InferenceTls | None) -> str:
    """What the edge says of a server that it cannot reach: a call fails, and a ping says why."""
    async with edge_to(target, tls) as client:
        with pytest.raises(InferenceUnavailable):
            await width(client)
        fault = await fault_of(client)
    assert str(fault) == f"{target}: {fault.why}"
    return fault.why


async def fault_of(client: GrpcFaceAnalyzer) -> InferenceTlsFault:
    """A busy machine may be too slow for one look at the server."""
    async with asyncio.timeout(60):
        while True:
            with pytest.raises(InferenceUnavailable) as caught:
                await client.ping()
            if isinstance(caught.value, InferenceTlsFault):
                return caught.value


async def test_each_shows_the_other_a_certificate(site: Site) -> None:
    service = ScriptedInference()
    async with (
        serving(service, credentials=site.credentials()),
        edge_to(service.target, site.tls(issued=site.edge), PATIENT) as client,
    ):
        assert await width(client) == 640
        await client.ping()


async def test_without_mtls_the_edge_needs_no_certificate(site: Site) -> None:
    service = ScriptedInference()
    async with (
        serving(service, credentials=site.credentials(asks_for_certificates=False)),
        edge_to(service.target, site.tls(), PATIENT) as client,
    ):
        assert await width(client) == 640


async def test_an_edge_without_a_certificate_is_not_let_in(site: Site) -> None:
    service = ScriptedInference()
    async with serving(service, credentials=site.credentials()):
        said = await why_not(service.target, site.tls())
        assert said.startswith("inference asks for a client certificate: set EDGE_INFERENCE_TLS_")
        assert service.asked == []


async def test_an_edge_with_a_certificate_of_another_authority_is_not_let_in(site: Site) -> None:
    service = ScriptedInference()
    strange = site.stranger.issue(site.folder, "strange")
    async with serving(service, credentials=site.credentials()):
        said = await why_not(service.target, site.tls(issued=strange))
        assert said.startswith("inference refuses the certificate of the edge")
        assert service.asked == []


async def test_a_server_of_another_authority_is_sent_nothing(site: Site) -> None:
    service = ScriptedInference()
    strange = site.stranger.issue(site.folder, "strange")
    async with serving(service, credentials=site.credentials(strange)):
        said = await why_not(service.target, site.tls(issued=site.edge))
        assert said.endswith("is not signed by an authority in EDGE_INFERENCE_TLS_CA")
        assert service.asked == []


async def test_a_server_whose_certificate_has_expired_is_sent_nothing(site: Site) -> None:
    service = ScriptedInference()
    old = site.authority.issue(site.folder, "old", start=-10 * DAY, days=3)
    async with serving(service, credentials=site.credentials(old)):
        said = await why_not(service.target, site.tls(issued=site.edge))
        assert said.startswith("the certificate of inference has expired")
        assert service.asked == []


async def test_a_server_of_another_name_is_sent_nothing_unless_the_name_is_set(site: Site) -> None:
    service = ScriptedInference()
    named = site.authority.issue(site.folder, "named", hosts=["inference.internal"])
    async with serving(service, credentials=site.credentials(named)):
        said = await why_not(service.target, site.tls(issued=site.edge))
        assert said.startswith("the certificate of inference is for another name")
        assert service.asked == []
        tls = site.tls(issued=site.edge, server_name="inference.internal")
        async with edge_to(service.target, tls, PATIENT) as client:
            assert await width(client) == 640


async def test_a_plain_edge_before_a_server_with_tls(site: Site) -> None:
    service = ScriptedInference()
    async with serving(service, credentials=site.credentials()):
        said = await why_not(service.target, None)
        assert said.startswith("inference speaks TLS and the edge does not")


async def test_an_edge_with_tls_before_a_plain_server(site: Site) -> None:
    service = ScriptedInference()
    async with serving(service):
        said = await why_not(service.target, site.tls(issued=site.edge))
        assert said.startswith("the edge speaks TLS and inference does not")
        assert service.asked == []


async def test_the_start_of_the_edge_says_it_in_plain_words_too() -> None:
    fault = InferenceTlsFault("a:1", "inference speaks TLS")
    closed = InferenceUnavailable("Socket closed")
    assert await _why_away(FakeFaceAnalyzer(errors=[fault]), closed) == "a:1: inference speaks TLS"
    assert await _why_away(FakeFaceAnalyzer(errors=[closed]), closed) == "Socket closed"
    assert await _why_away(FakeFaceAnalyzer(), TimeoutError()) == "TimeoutError"


@pytest.mark.parametrize("has_tls", [False, True])
async def test_a_server_that_is_not_there_is_no_fault_of_tls(site: Site, *, has_tls: bool) -> None:
    service = ScriptedInference()
    async with serving(service):
        pass  # its port is free again, and nobody listens
    tls = site.tls(issued=site.edge) if has_tls else None
    async with edge_to(service.target, tls) as client:
        with pytest.raises(InferenceUnavailable) as caught:
            await client.ping()
    assert not isinstance(caught.value, InferenceTlsFault)


async def test_a_unix_socket_is_reached_without_tls(site: Site) -> None:
    service = ScriptedInference()
    address = f"unix:{site.folder / 'inference.sock'}"
    async with (
        serving(service, address),
        edge_to(address, site.tls(issued=site.edge), PATIENT) as client,
    ):
        assert await width(client) == 640
        await client.ping()


async def test_renewed_files_are_taken_when_the_old_ones_are_no_longer_good(site: Site) -> None:
    service = ScriptedInference()
    tls = site.tls(issued=site.edge)
    async with serving(service, credentials=site.credentials()):
        client = GrpcFaceAnalyzer([service.target], tls=ChannelFiles(tls), policy=PATIENT)
        assert await width(client) == 640
    # The whole site moves to another authority, as at the end of the old one.
    site.ca.write_bytes(site.stranger.pem)
    site.authority = site.stranger
    server = site.stranger.issue(site.folder, "server")
    site.stranger.issue(site.folder, "edge")
    async with serving(service, credentials=site.credentials(server)):
        assert await width(client) == 640
        await client.ping()
    await client.close()


async def test_a_call_in_flight_ends_where_it_began_when_channels_are_opened_anew(
    site: Site,
) -> None:
    there, away = ScriptedInference("there"), ScriptedInference("away")
    working, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_context: object) -> None:
        working.set()
        await go_on.wait()

    there.behaviours = [wait]
    async with serving(away):
        pass  # its port is free again, and nobody listens
    async with serving(there, credentials=site.credentials()):
        files = ChannelFiles(site.tls(issued=site.edge))
        client = GrpcFaceAnalyzer([there.target, away.target], tls=files, policy=PATIENT)
        call = asyncio.create_task(width(client))
        await working.wait()
        site.authority.issue(site.folder, "edge")
        with capture_logs() as lines:
            assert await width(client) == 640  # finds `away` away, and the files exchanged
        assert [line["event"] for line in lines].count("channels_opened_anew") == 1
        go_on.set()
        assert await call == 640
        await client.close()


async def test_files_that_are_no_good_change_nothing(site: Site) -> None:
    files = ChannelFiles(site.tls(issued=site.edge))
    before = files.latest()
    assert files.latest() is before
    site.edge.key.write_bytes(b"junk")
    with capture_logs() as lines:
        assert files.latest() is before
    assert "KEY=" in lines[0]["cause"]
    site.authority.issue(site.folder, "edge")
    after = files.latest()
    assert after is not before
    assert files.latest() is after


def test_files_that_cannot_work_stop_the_start_and_are_named(site: Site) -> None:
    old = site.authority.issue(site.folder, "old", start=-10 * DAY, days=3)
    settings = load_settings(
        inference_tls_ca=site.ca, inference_tls_cert=old.certificate, inference_tls_key=old.key
    )
    tls = inference_tls(settings)
    assert tls is not None
    with pytest.raises(StartRefused, match=r"EDGE_INFERENCE_TLS_CERT=.*old\.pem: has expired on"):
        ChannelFiles(tls)
    with pytest.raises(StartRefused, match=r"CA=.*holds no certificate"):
        ChannelFiles(site.tls(ca=site.edge.key))
