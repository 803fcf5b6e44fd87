"""The files of TLS: what is wrong with one is said in one line, before anything uses it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from certificates.pem import CertificateFault, PemFile, Side
from certificates.reading import read_authorities, read_identity
from tests.certificates import CLIENT, DAY, SERVER, Authority, Issued, PrivateKey


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("ours")


@pytest.fixture
def issued(authority: Authority, tmp_path: Path) -> Issued:
    return authority.issue(tmp_path, "server")


def named(setting: str, path: Path) -> PemFile:
    return PemFile(setting, path)


def fault_of(certificate: Path, key: Path, side: Side = Side.SERVER) -> str:
    """What is said of a pair that is no good."""
    with pytest.raises(CertificateFault) as caught:
        read_identity(named("CERT", certificate), named("KEY", key), side)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("side", list(Side))
def test_a_pair_that_is_good_comes_back_as_it_is(issued: Issued, side: Side) -> None:
    identity = read_identity(named("CERT", issued.certificate), named("KEY", issued.key), side)
    assert identity.chain == issued.certificate.read_bytes()
    assert identity.key == issued.key.read_bytes()
    assert abs(identity.expires - (datetime.now(UTC) + DAY)) < timedelta(minutes=5)


def test_a_certificate_that_signed_itself_is_good_too(tmp_path: Path) -> None:
    alone = Authority("alone")
    file = alone.write(tmp_path)
    assert read_authorities(named("CA", file)) == alone.pem


def test_a_file_that_is_not_there(issued: Issued, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.pem"
    said = "cannot be read (No such file or directory)"
    assert fault_of(nowhere, issued.key) == f"CERT={nowhere}: {said}"
    assert fault_of(issued.certificate, nowhere) == f"KEY={nowhere}: {said}"
    with pytest.raises(CertificateFault, match=r"CA=.*cannot be read"):
        read_authorities(named("CA", nowhere))


def test_a_folder_is_no_file(issued: Issued, tmp_path: Path) -> None:
    assert "CERT=" in (said := fault_of(tmp_path, issued.key))
    assert "cannot be read (Is a directory)" in said


@pytest.mark.parametrize("content", [b"", b"junk", b"\x30\x82\x01\x0a\x00\xff"])
def test_what_is_not_pem(issued: Issued, tmp_path: Path, content: bytes) -> None:
    junk = tmp_path / "junk"
    junk.write_bytes(content)
    assert fault_of(junk, issued.key) == f"CERT={junk}: holds no certificate in PEM form"
    assert fault_of(issued.certificate, junk) == f"KEY={junk}: holds no private key in PEM form"
    with pytest.raises(CertificateFault, match=r"CA=.*holds no certificate in PEM form"):
        read_authorities(named("CA", junk))


def test_a_key_that_is_cut_off(issued: Issued) -> None:
    lines = issued.key.read_text().splitlines()
    issued.key.write_text("\n".join([lines[0], lines[1][:20], lines[-1]]))
    said = fault_of(issued.certificate, issued.key)
    assert said == f"KEY={issued.key}: holds a private key that cannot be read"


def test_a_certificate_that_is_cut_off(issued: Issued) -> None:
    lines = issued.certificate.read_text().splitlines()
    issued.certificate.write_text("\n".join([*lines[:3], lines[-1]]))
    said = fault_of(issued.certificate, issued.key)
    assert said == f"CERT={issued.certificate}: holds no certificate in PEM form"


def test_the_two_files_in_each_others_place(issued: Issued) -> None:
    assert "CERT=" in (said := fault_of(issued.key, issued.certificate))
    assert "holds no certificate" in said


def test_the_key_of_another_certificate(
    authority: Authority, issued: Issued, tmp_path: Path
) -> None:
    other = authority.issue(tmp_path, "other")
    said = fault_of(issued.certificate, other.key)
    assert said == f"KEY={other.key}: is not the key of CERT"


def test_a_key_with_a_passphrase_asks_nobody_at_the_terminal(
    authority: Authority, tmp_path: Path
) -> None:
    locked = authority.issue(tmp_path, "locked", passphrase="open sesame")
    said = fault_of(locked.certificate, locked.key)
    assert said.startswith(f"KEY={locked.key}: has a passphrase")


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
        (ec.generate_private_key(ec.SECP521R1()), "EC P-521"),
    ],
)
def test_a_key_that_grpc_could_not_sign_with(
    authority: Authority, tmp_path: Path, key: PrivateKey, kind: str
) -> None:
    issued = authority.issue(tmp_path, "modern", key=key)
    said = f"is of a kind that gRPC does not take ({kind})"
    assert said in fault_of(issued.certificate, issued.key)


def test_rsa_and_other_curves_are_taken(authority: Authority, tmp_path: Path) -> None:
    keys: list[PrivateKey] = [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
    ]
    for number, key in enumerate(keys):
        issued = authority.issue(tmp_path, f"good-{number}", key=key)
        read_identity(named("CERT", issued.certificate), named("KEY", issued.key), Side.SERVER)


@pytest.mark.parametrize("side", list(Side))
def test_a_certificate_that_has_expired(authority: Authority, tmp_path: Path, side: Side) -> None:
    old = authority.issue(tmp_path, "old", start=-10 * DAY, days=3)
    day = datetime.now(UTC) - 7 * DAY
    said = fault_of(old.certificate, old.key, side)
    assert said.startswith(f"CERT={old.certificate}: has expired on {day:%Y-%m-%d} at ")


@pytest.mark.parametrize("side", list(Side))
def test_a_certificate_that_is_not_valid_yet(
    authority: Authority, tmp_path: Path, side: Side
) -> None:
    early = authority.issue(tmp_path, "early", start=2 * DAY)
    day = datetime.now(UTC) + 2 * DAY
    said = fault_of(early.certificate, early.key, side)
    assert said.startswith(f"CERT={early.certificate}: is not valid before {day:%Y-%m-%d} ")


def test_a_certificate_for_the_other_side(authority: Authority, tmp_path: Path) -> None:
    of_server = authority.issue(tmp_path, "of-server", usages=[SERVER])
    of_client = authority.issue(tmp_path, "of-client", usages=[CLIENT])
    assert "is none for a client" in fault_of(of_server.certificate, of_server.key, Side.CLIENT)
    assert "is none for a server" in fault_of(of_client.certificate, of_client.key, Side.SERVER)


def test_of_several_authorities_one_may_have_expired_but_not_all(tmp_path: Path) -> None:
    old, new = Authority("old", start=-10 * DAY, days=3), Authority("new")
    both = tmp_path / "both.pem"
    both.write_bytes(old.pem + new.pem)
    assert read_authorities(named("CA", both)) == both.read_bytes()
    with pytest.raises(CertificateFault, match=r"CA=.*has expired on"):
        read_authorities(named("CA", old.write(tmp_path)))


def test_a_stamp_is_another_one_once_the_file_is_exchanged(
    authority: Authority, issued: Issued, tmp_path: Path
) -> None:
    file = named("CERT", issued.certificate)
    before = file.stamp()
    assert file.stamp() == before
    authority.issue(tmp_path, "server")
    assert file.stamp() not in (before, None)
    issued.certificate.unlink()
    assert file.stamp() is None
