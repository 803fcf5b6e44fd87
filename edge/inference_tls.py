"""TLS to the inference servers: whom the edge trusts, and as whom it calls."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog

from certificates.pem import CertificateFault, PemFile, Side
from certificates.reading import read_authorities, read_identity
from edge.errors import StartRefused
from edge.settings import PREFIX, EdgeSettings

_LOCAL = ("unix:", "unix-abstract:")
_RETRY_SECONDS = 1.0
"""Between two looks at the same files that are no good: perhaps they are not valid yet."""

_log = structlog.get_logger("edge.inference_tls")


@dataclass(frozen=True, slots=True)
class InferenceTls:
    """The files, by name. A Unix socket is reached without: its file keeps others out."""

    authorities: PemFile
    """Who signs the certificates of servers."""
    certificate: PemFile | None = None
    """The edge's own, for servers that ask for one; together with `key`."""
    key: PemFile | None = None
    server_name: str = ""
    """In the certificates of servers; empty: the host of the target."""


def inference_tls(settings: EdgeSettings) -> InferenceTls | None:
    """As the settings say; None: plain connections."""
    authorities = _file("INFERENCE_TLS_CA", settings.inference_tls_ca)
    if authorities is None:
        return None
    return InferenceTls(
        authorities,
        _file("INFERENCE_TLS_CERT", settings.inference_tls_cert),
        _file("INFERENCE_TLS_KEY", settings.inference_tls_key),
        settings.inference_tls_server_name,
    )


def _file(name: str, path: Path | None) -> PemFile | None:
    return None if path is None else PemFile(PREFIX + name, path)


def is_local(target: str) -> bool:
    """Whether a target is a Unix socket."""
    return target.startswith(_LOCAL)


class ChannelFiles:
    """Credentials of channels, of the files as they are now.

    Python's gRPC takes a client's certificate when a channel is made, and no other afterwards. So
    whoever finds a server away asks here for the latest, and opens channels anew.
    """

    def __init__(self, tls: InferenceTls) -> None:
        """Raises StartRefused, one line that names the setting and the file."""
        self.tls = tls
        self._read_at = self._stamps()
        self._refused: object = None
        self._rests_until = 0.0
        try:
            self._credentials = self._read()
        except CertificateFault as fault:
            raise StartRefused(str(fault)) from fault

    def latest(self) -> grpc.ChannelCredentials:
        """The same ones as long as the files are.

        Files that are no good change nothing; the log says why.
        """
        stamps = self._stamps()
        is_known = stamps == self._refused and time.monotonic() < self._rests_until
        if is_known or stamps == self._read_at:
            return self._credentials
        try:
            self._credentials = self._read()
        except CertificateFault as fault:
            _log.warning("certificate_not_exchanged", cause=str(fault))
            self._refused, self._rests_until = stamps, time.monotonic() + _RETRY_SECONDS
        else:
            self._read_at = stamps
        return self._credentials

    def _read(self) -> grpc.ChannelCredentials:
        tls = self.tls
        authorities = read_authorities(tls.authorities)
        if tls.certificate is None or tls.key is None:
            return grpc.ssl_channel_credentials(authorities)
        identity = read_identity(tls.certificate, tls.key, Side.CLIENT)
        _log.info("certificate_read", expires=f"{identity.expires:%Y-%m-%dT%H:%M:%SZ}")
        return grpc.ssl_channel_credentials(authorities, identity.key, identity.chain)

    def _stamps(self) -> tuple[tuple[int, ...] | None, ...]:
        tls = self.tls
        return tuple(
            None if file is None else file.stamp()
            for file in (tls.authorities, tls.certificate, tls.key)
        )


def channel_files(settings: EdgeSettings) -> ChannelFiles | None:
    """As the settings say; None: plain connections. Raises StartRefused."""
    tls = inference_tls(settings)
    return None if tls is None else ChannelFiles(tls)
