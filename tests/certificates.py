"""Real certificates for tests: an authority, and what it signs.

authority = Authority("our authority")
server = authority.issue(folder, "server")
start_inference(pack, TLS_CERT=str(server.certificate), TLS_KEY=str(server.key))
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOCAL = ("localhost", "127.0.0.1")
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
DAY = timedelta(days=1)
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; its own is valid from `start` on, for `days`."""

    def __init__(self, name: str, *, start: timedelta = -DAY, days: int = 2) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self._certificate = (
            _builder(self._name, self._name, self._key.public_key(), start, days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_may_sign(), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """Its own certificate."""
        return self._certificate.public_bytes(Encoding.PEM)

    def write(self, folder: Path, name: str = "ca.pem") -> Path:
        """Its own certificate, as a file."""
        file = folder / name
        file.write_bytes(self.pem)
        return file

    def issue(
        self,
        folder: Path,
        name: str,
        *,
        hosts: Sequence[str] = LOCAL,
        start: timedelta = -DAY,
        days: int = 2,
        usages: Sequence[x509.ObjectIdentifier] = (SERVER, CLIENT),
        passphrase: str = "",
        key: PrivateKey | None = None,
    ) -> Issued:
        """`name.pem` and `name.key`; what was there is exchanged, the key first."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(_named(name), self._name, key.public_key(), start, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(_alternatives(hosts)), critical=False)
            .add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        issued = Issued(folder / f"{name}.pem", folder / f"{name}.key")
        encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        _exchange(issued.key, secret)
        _exchange(issued.certificate, certificate.public_bytes(Encoding.PEM))
        return issued


def _exchange(file: Path, content: bytes) -> None:
    """As cert-manager and certbot do: the new file takes the place of the old one at once."""
    arriving = file.with_suffix(file.suffix + ".new")
    arriving.write_bytes(content)
    arriving.replace(file)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PublicKey,
    start: timedelta,
    days: int,
) -> x509.CertificateBuilder:
    begins = datetime.now(UTC) + start
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _may_sign() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(hosts: Sequence[str]) -> list[x509.GeneralName]:
    return [_alternative(host) for host in hosts]


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
