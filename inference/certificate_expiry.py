"""Until when the server's certificate is valid, for /metrics."""

from __future__ import annotations

from collections.abc import Callable

from certificates.pem import CertificateFault, PemFile, Side
from certificates.reading import read_identity
from inference.settings import PREFIX, Settings


def certificate_expiry(settings: Settings) -> Callable[[], float] | None:
    """Tells the end of the certificate as its file is now, in seconds since 1970.

    It tells 0 for a file that is no good; whoever serves with it says why. None: no TLS.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    certificate = PemFile(f"{PREFIX}TLS_CERT", settings.tls_cert)
    key = PemFile(f"{PREFIX}TLS_KEY", settings.tls_key)

    def expires() -> float:
        try:
            return read_identity(certificate, key, Side.SERVER).expires.timestamp()
        except CertificateFault:
            return 0.0

    return expires
