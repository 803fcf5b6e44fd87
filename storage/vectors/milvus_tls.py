"""TLS to a Milvus server: PEM files, looked at before gRPC is given them.

gRPC says of a file that is no good only that a handshake failed, and pymilvus tries again.
"""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from storage.errors import StoreMisconfigured

_CA = "STORAGE_VECTORS_TLS_CA"
_CERT = "STORAGE_VECTORS_TLS_CERT"
_KEY = "STORAGE_VECTORS_TLS_KEY"


@dataclass(frozen=True, slots=True)
class MilvusTls:
    """Files in PEM form. Without `ca` the usual authorities are trusted."""

    ca: Path | None = None
    certificate: Path | None = None
    """To show to a server that asks for one; with `key`, and only with `ca`."""
    key: Path | None = None

    def check(self) -> None:
        """Raises StoreMisconfigured, one line, for a file that gRPC could not use."""
        if self.ca is not None:
            _check_authorities(self.ca)
        if self.certificate is not None and self.key is not None:
            _check_identity(self.certificate, self.key)

    def options(self) -> dict[str, str]:
        """What pymilvus calls them."""
        if self.ca is None:
            return {}
        if self.certificate is None:
            # Its name for what to trust, whether a server's own certificate or an authority's; it
            # reads `ca_pem_path` only beside a client's certificate.
            return {"server_pem_path": str(self.ca)}
        return {
            "ca_pem_path": str(self.ca),
            "client_pem_path": str(self.certificate),
            "client_key_path": str(self.key),
        }


def _check_authorities(file: Path) -> None:
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        trusting.load_verify_locations(file)
    except ssl.SSLError as error:
        raise _fault(_CA, file, "holds no certificate in PEM form") from error
    except OSError as error:
        raise _fault(_CA, file, f"cannot be read ({error.strerror})") from error
    ends = [str(authority["notAfter"]) for authority in trusting.get_ca_certs()]
    if ends and all(ssl.cert_time_to_seconds(end) < time.time() for end in ends):
        raise _fault(_CA, file, f"has expired ({max(ends, key=ssl.cert_time_to_seconds)})")


def _check_identity(certificate: Path, key: Path) -> None:
    def passphrase() -> str:
        # Without this, OpenSSL would ask at the terminal.
        raise _fault(_KEY, key, "has a passphrase: store it without one")

    for setting, file in ((_CERT, certificate), (_KEY, key)):
        try:
            file.read_bytes()
        except OSError as error:
            raise _fault(setting, file, f"cannot be read ({error.strerror})") from error
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, passphrase)
    except ssl.SSLError as error:
        what = f"makes no certificate with {_KEY}={key} ({error.reason or 'no PEM form'})"
        raise _fault(_CERT, certificate, what) from error


def _fault(setting: str, file: Path, what: str) -> StoreMisconfigured:
    return StoreMisconfigured(f"{setting}={file}: {what}")
