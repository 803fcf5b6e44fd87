"""TLS of the server: its certificate, and whose certificates callers must show."""

from __future__ import annotations

import time

import grpc
import structlog

from certificates.pem import CertificateFault, PemFile, Side
from certificates.reading import read_authorities, read_identity
from inference.errors import StartError
from inference.settings import PREFIX, Settings

_RETRY_SECONDS = 1.0
"""Between two looks at the same files that are no good: perhaps they are not valid yet."""

_log = structlog.get_logger("inference.tls")


def server_credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """What to listen with; None: without TLS. For one address.

    The files are read again when they were exchanged, at the next connection. Raises StartError.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    client_ca = settings.tls_client_ca
    files = ServerFiles(
        PemFile(f"{PREFIX}TLS_CERT", settings.tls_cert),
        PemFile(f"{PREFIX}TLS_KEY", settings.tls_key),
        None if client_ca is None else PemFile(f"{PREFIX}TLS_CLIENT_CA", client_ca),
    )
    try:
        configuration = files.read()
    except CertificateFault as fault:
        raise StartError(str(fault)) from fault
    return grpc.dynamic_ssl_server_credentials(
        configuration,
        files.exchanged,  # type: ignore[arg-type]  # may return None, as its documentation says
        require_client_authentication=client_ca is not None,
    )


class ServerFiles:
    """The files as they are now. Whoever renews a certificate need not start the server again."""

    def __init__(self, certificate: PemFile, key: PemFile, client_ca: PemFile | None) -> None:
        self._certificate = certificate
        self._key = key
        self._client_ca = client_ca
        self._read_at = self._stamps()
        self._refused: object = None
        self._rests_until = 0.0

    def read(self) -> grpc.ServerCertificateConfiguration:
        """Raises CertificateFault."""
        identity = read_identity(self._certificate, self._key, Side.SERVER)
        authorities = None if self._client_ca is None else read_authorities(self._client_ca)
        _log.info("certificate_read", expires=f"{identity.expires:%Y-%m-%dT%H:%M:%SZ}")
        return grpc.ssl_server_certificate_configuration(
            [(identity.key, identity.chain)], root_certificates=authorities
        )

    def exchanged(self) -> grpc.ServerCertificateConfiguration | None:
        """The configuration, if the files are others than those that were read; None: go on.

        gRPC asks before every handshake, one after the other, in a thread of its own. Files that
        are no good change nothing: what was read last goes on being shown, and the log says why.
        """
        stamps = self._stamps()
        is_known = stamps == self._refused and time.monotonic() < self._rests_until
        if is_known or stamps == self._read_at:
            return None
        try:
            configuration = self.read()
        except CertificateFault as fault:
            _log.warning("certificate_not_exchanged", cause=str(fault))
            self._refused, self._rests_until = stamps, time.monotonic() + _RETRY_SECONDS
            return None
        self._read_at = stamps
        return configuration

    def _stamps(self) -> tuple[tuple[int, ...] | None, ...]:
        return tuple(
            None if file is None else file.stamp()
            for file in (self._certificate, self._key, self._client_ca)
        )
