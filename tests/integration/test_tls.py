"""TLS between edge and inference, both real processes: who is answered, and what is said if not."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.certificates import DAY, Authority, Issued
from tests.faults.outages import found, is_away, put, small, until
from tests.integration.processes import Running, inference_environment, run, start_inference
from tests.integration.system import Client, client_of, edge_environment, start_edge

pytestmark = [pytest.mark.slow, pytest.mark.pack]

IN_MEMORY = {f"STORAGE_{store}_URL": "memory://" for store in ("VECTORS", "RECORDS", "PHOTOS")}
"""Nothing is kept here, and a start takes half as long."""


class Site:
    """One authority, and what it signed for a server and for an edge."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority("ours")
        self.ca = self.authority.write(folder)
        self.server = self.authority.issue(folder, "server")
        self.edge = self.authority.issue(folder, "edge")
        self.socket = folder / "inference.sock"

    @property
    def of_inference(self) -> dict[str, str]:
        """Settings of inference without their prefix: mTLS on the port, and a Unix socket."""
        return {
            "TLS_CERT": str(self.server.certificate),
            "TLS_KEY": str(self.server.key),
            "TLS_CLIENT_CA": str(self.ca),
            "UNIX_SOCKET": str(self.socket),
        }

    def of_edge(self, issued: Issued, ca: Path | None = None) -> dict[str, str]:
        """Settings of an edge that shows this certificate."""
        return {
            "EDGE_INFERENCE_TLS_CA": str(ca or self.ca),
            "EDGE_INFERENCE_TLS_CERT": str(issued.certificate),
            "EDGE_INFERENCE_TLS_KEY": str(issued.key),
        }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def inference(site: Site, pack_dir: Path) -> Iterator[Running]:
    with start_inference(pack_dir, **site.of_inference) as process:
        yield process


@pytest.fixture(scope="module")
def woman(shared: Path) -> bytes:
    return small(shared / "data/photos/bulk_yifei.jpg")


@contextmanager
def edge_to(
    targets: str, settings: dict[str, str], folder: Path
) -> Iterator[tuple[Running, Client]]:
    with (
        start_edge(folder / "data", targets, **IN_MEMORY, **settings) as edge,
        client_of(edge) as client,
    ):
        yield edge, client


def state_of_inference(client: Client) -> tuple[str, str | None]:
    """What /readyz says of it: state and detail."""
    part = client.http.get("/readyz").json()["dependencies"]["inference"]
    return part["state"], part["detail"]


def test_over_mtls_and_over_a_plain_unix_socket_searches_are_answered(
    site: Site, inference: Running, woman: bytes, tmp_path: Path
) -> None:
    both = f"localhost:{inference.port},unix:{site.socket}"
    with edge_to(both, site.of_edge(site.edge), tmp_path) as (edge, client):
        # They take turns.
        for name in ("one", "two", "three", "four"):
            assert put(client, name, woman).status_code == 200
        assert sorted(found(client, woman)) == ["four", "one", "three", "two"]
        assert state_of_inference(client) == ("ok", None)
        edge.wait_for_event("request", route="/search/")
        assert edge.events("inference_unavailable") == []


def test_a_certificate_of_another_authority_opens_nothing_until_it_is_exchanged(
    site: Site, inference: Running, woman: bytes, tmp_path: Path
) -> None:
    strange = Authority("somebody else's").issue(tmp_path, "strange")
    why = "inference refuses the certificate of the edge"
    with edge_to(inference.address, site.of_edge(strange), tmp_path) as (_, client):
        assert is_away(client.try_search(woman), "inference_unavailable")
        until(lambda: why in str(state_of_inference(client)[1]), "/readyz says why")
        state, detail = state_of_inference(client)
        assert state == "unavailable"
        assert "127.0.0.1" not in str(detail)  # whoever asks has shown no key

        # Mended on disk, and good without a start.
        site.authority.issue(tmp_path, "strange")
        until(lambda: client.http.get("/readyz").status_code == 200, "let in")
        assert put(client, "her", woman).status_code == 200


def test_expired_certificates_stop_the_start_of_either(
    site: Site, pack_dir: Path, tmp_path: Path
) -> None:
    old = site.authority.issue(tmp_path, "old", start=-10 * DAY, days=3)
    inference = site.of_inference | {"TLS_CERT": str(old.certificate), "TLS_KEY": str(old.key)}
    starts = {
        "inference": inference_environment(pack_dir, **inference),
        "edge": edge_environment(tmp_path / "data", "127.0.0.1:1", **site.of_edge(old)),
    }
    for module, environment in starts.items():
        with run([sys.executable, "-m", module], environment) as process:
            assert process.wait(90) == 2, process.text()
            (line,) = process.lines("stderr")
        assert line.startswith(f"{module}: ")
        assert f"TLS_CERT={old.certificate}: has expired on" in line
