"""The PEM files of TLS, read and checked before anything uses them.

gRPC says of a file that is no good only that it cannot listen, or that a handshake failed.
"""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from certificates.pem import Identity, PemFile, Side

_NO_CHECK_TIME = ssl.VerifyFlags(0x200000)
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the module ssl has no name for: the dates are compared
here, so that the message can tell them."""
_FLIGHTS = 10
"""More than any handshake takes."""
_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(.+?)-----END", re.DOTALL)
_UNKNOWN_TO_GRPC = {
    "Ed25519": bytes.fromhex("06032b6570"),
    "Ed448": bytes.fromhex("06032b6571"),
    "EC P-521": bytes.fromhex("06052b81040023"),
}
"""Kinds of keys that OpenSSL takes and gRPC (BoringSSL) does not sign with; their OIDs in DER."""
_MISMATCHES = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"})


def read_identity(certificate: PemFile, key: PemFile, side: Side) -> Identity:
    """The certificate and the key that somebody shows on this side of a connection.

    Raises CertificateFault for files that cannot be read, are not PEM or do not belong together,
    for a key with a passphrase or of a kind that gRPC does not take, and for a certificate that has
    expired, is not valid yet or may not be used on this side.
    """
    chain, secret = certificate.read(), key.read()
    _load_certificates(certificate)
    if b"PRIVATE KEY-----" not in secret:
        raise key.fault("holds no private key in PEM form")
    start, expires = _validity(certificate, key, side)
    _check_kind(key, secret)
    if (chain, secret) != (certificate.read(), key.read()):
        raise certificate.fault("was exchanged while it was read")
    _check_dates(certificate, [(start, expires)])
    return Identity(chain, secret, expires)


def read_authorities(file: PemFile) -> bytes:
    """Certificates of authorities, PEM.

    Raises CertificateFault for a file that cannot be read or holds none, and if all of them have
    expired or are not valid yet; a bundle may hold old ones.
    """
    authorities = file.read()
    stated = _load_certificates(file).get_ca_certs()
    _check_dates(file, [_dates(authority) for authority in stated])
    return authorities


def _check_kind(key: PemFile, secret: bytes) -> None:
    found = _PRIVATE_KEY.search(secret)
    der = b"" if found is None else base64.b64decode(found[1])
    for kind, oid in _UNKNOWN_TO_GRPC.items():
        if oid in der:
            raise key.fault(f"is of a kind that gRPC does not take ({kind}): use RSA, or EC P-256")


def _load_certificates(file: PemFile) -> ssl.SSLContext:
    """A context that trusts what is in the file."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        trusting.load_verify_locations(file.path)
    except ssl.SSLError as error:
        raise file.fault("holds no certificate in PEM form") from error
    except OSError as error:
        raise file.fault(f"cannot be read ({error.strerror})") from error
    return trusting


def _validity(certificate: PemFile, key: PemFile, side: Side) -> tuple[datetime, datetime]:
    """From when to when the certificate is valid.

    The module ssl tells what a certificate says only to the other side of a connection, once that
    has verified it. So both sides are played, and the other one trusts the certificate as it is.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    for context in (server, client):
        _load_identity(context, certificate, key)
    other = client if side is Side.SERVER else server
    other.verify_mode = ssl.CERT_REQUIRED
    other.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    other.load_verify_locations(certificate.path)
    try:
        of_server, of_client = _shake_hands(server, client)
    except ssl.SSLCertVerificationError as error:
        raise certificate.fault(f"is none for a {side} ({error.verify_message})") from error
    except ssl.SSLError as error:
        raise certificate.fault(f"cannot be used ({error.reason})") from error
    stated = (of_client if side is Side.SERVER else of_server).getpeercert()
    if not stated:  # a verified side always has it
        raise certificate.fault("was not shown in a handshake")
    return _dates(stated)


def _load_identity(context: ssl.SSLContext, certificate: PemFile, key: PemFile) -> None:
    def passphrase() -> str:
        # Without this, OpenSSL would ask at the terminal.
        raise key.fault("has a passphrase, which nobody is there to type: store it without one")

    try:
        context.load_cert_chain(certificate.path, key.path, passphrase)
    except ssl.SSLError as error:
        if error.reason in _MISMATCHES:
            raise key.fault(f"is not the key of {certificate.setting}") from error
        if "PEM" in str(error):
            raise key.fault("holds a private key that cannot be read") from error
        raise certificate.fault(f"cannot be used ({error.reason})") from error
    except OSError as error:
        raise certificate.fault(f"cannot be read ({error.strerror})") from error


def _shake_hands(
    server: ssl.SSLContext, client: ssl.SSLContext
) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """A whole handshake in memory. Raises SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        server.wrap_bio(to_server, to_client, server_side=True),
        client.wrap_bio(to_client, to_server),
    )
    for _ in range(_FLIGHTS):
        has_ended = [_has_ended(side) for side in sides]  # each has its turn
        if all(has_ended):
            break
    return sides


def _has_ended(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _dates(stated: Mapping[str, object]) -> tuple[datetime, datetime]:
    start, end = (
        datetime.fromtimestamp(ssl.cert_time_to_seconds(str(stated[name])), UTC)
        for name in ("notBefore", "notAfter")
    )
    return start, end


def _check_dates(file: PemFile, validities: Sequence[tuple[datetime, datetime]]) -> None:
    """Raises CertificateFault if there are certificates and none of them is valid now."""
    now = datetime.now(UTC)
    if not validities or any(start <= now <= end for start, end in validities):
        return
    start, end = max(validities, key=lambda validity: validity[1])
    if end < now:
        raise file.fault(f"has expired on {end:%Y-%m-%d at %H:%M} UTC; renew it")
    raise file.fault(f"is not valid before {start:%Y-%m-%d %H:%M} UTC; is the clock right?")
