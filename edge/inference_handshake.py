"""Why a TLS connection to an inference server does not come about, in plain words.

gRPC's own words for it are "Socket closed" or OpenSSL's. So the edge, which knows its files, tries
a handshake itself: only when a server is away, and only for the log and /readyz.
"""

from __future__ import annotations

import re
import socket
import ssl

from edge.inference_tls import InferenceTls, is_local

_CONNECT_SECONDS = 0.7
_REFUSAL_SECONDS = 0.5
"""A server that lets the edge in sends its HTTP/2 settings at once. One that does not closes the
connection, after a handshake that the edge takes for good (gRPC), or sends an alert."""
_TARGET = re.compile(
    r"(?:(?:dns|ipv4|ipv6):(?://[^/]*/)?)?(?:\[(?P<ip6>[^]]+)\]|(?P<host>[^:/]+)):(?P<port>\d+)"
)
_UNTRUSTED = frozenset({2, 18, 19, 20, 21})
"""X509_V_ERR_: no issuer found, self-signed, issuer not trusted, signature unverifiable."""
_EXPIRED, _NOT_YET = 10, 9
_OTHER_NAME = frozenset({62, 64})
_ASKS_FOR_ONE = "SSLV3_ALERT_HANDSHAKE_FAILURE"
"""Of TLS 1.2, for want of a certificate."""
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})


def tls_fault(target: str, tls: InferenceTls | None) -> str | None:
    """What is wrong between this edge and the server; None: TLS is not what keeps them apart.

    Blocks for up to 2 s. The words name settings and no host, so they may be shown to anybody.
    """
    match = _TARGET.fullmatch(target)
    if is_local(target) or match is None:
        return None
    host, port = match["ip6"] or match["host"], int(match["port"])
    try:
        if tls is None:
            return _without_tls(host, port)
        return _with_tls(host, port, tls)
    except OSError:  # not there at all, or too slow: others say so
        return None


def _without_tls(host: str, port: int) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # Nothing is sent to whoever answers: it is only asked whether it speaks TLS.
    context.verify_mode = ssl.CERT_NONE
    try:
        _connect(context, host, port, host).close()
    except ssl.SSLError as error:
        if not (error.reason or "").startswith(("TLSV1_ALERT", "TLSV13_ALERT", "SSLV3_ALERT")):
            return None
    return "inference speaks TLS and the edge does not: set EDGE_INFERENCE_TLS_CA"


def _with_tls(host: str, port: int, tls: InferenceTls) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN  # as gRPC does
    context.load_verify_locations(tls.authorities.path)
    if tls.certificate is not None and tls.key is not None:
        # A passphrase that came with a renewal is not to be asked for at the terminal.
        context.load_cert_chain(tls.certificate.path, tls.key.path, password="")
    try:
        with _connect(context, host, port, tls.server_name or host) as connection:
            connection.settimeout(_REFUSAL_SECONDS)
            is_closed = not connection.recv(1)
    except ssl.SSLCertVerificationError as error:
        return _of_server(error)
    except ssl.SSLError as error:
        return _of_alert(error.reason or "", has_certificate=tls.certificate is not None)
    return _not_let_in(has_certificate=tls.certificate is not None) if is_closed else None


def _connect(context: ssl.SSLContext, host: str, port: int, name: str) -> ssl.SSLSocket:
    """Connected, with the handshake done. Raises OSError, of which SSLError is one."""
    plain = socket.create_connection((host, port), timeout=_CONNECT_SECONDS)
    try:
        return context.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def _of_server(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _UNTRUSTED:
        return "the certificate of inference is not signed by an authority in EDGE_INFERENCE_TLS_CA"
    if error.verify_code in (_EXPIRED, _NOT_YET):
        return "the certificate of inference has expired or is not valid yet: renew it there"
    if error.verify_code in _OTHER_NAME:
        return (
            "the certificate of inference is for another name: use that name in "
            "EDGE_INFERENCE_TARGETS, or set EDGE_INFERENCE_TLS_SERVER_NAME to it"
        )
    return f"the certificate of inference is refused: {error.verify_message}"


def _of_alert(reason: str, *, has_certificate: bool) -> str | None:
    if reason in _NO_TLS:
        return (
            "the edge speaks TLS and inference does not: set INFERENCE_TLS_CERT and "
            "INFERENCE_TLS_KEY there, or leave EDGE_INFERENCE_TLS_CA empty"
        )
    if "ALERT" not in reason:
        return None
    if reason == _ASKS_FOR_ONE or "CERTIFICATE" in reason or "UNKNOWN_CA" in reason:
        return _not_let_in(has_certificate=has_certificate)
    return f"inference ends the TLS handshake ({reason})"


def _not_let_in(*, has_certificate: bool) -> str:
    if has_certificate:
        return (
            "inference refuses the certificate of the edge: EDGE_INFERENCE_TLS_CERT must be "
            "valid and signed by an authority in INFERENCE_TLS_CLIENT_CA"
        )
    return (
        "inference asks for a client certificate: set EDGE_INFERENCE_TLS_CERT and "
        "EDGE_INFERENCE_TLS_KEY"
    )
