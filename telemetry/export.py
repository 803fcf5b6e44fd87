"""From a URL to something that makes spans and sends them: OTLP over HTTP."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import Sampler

from telemetry.outbox import OnLost, Outbox

FLUSH_SECONDS = 3.0
"""How long the end of the process waits for the last spans to be taken."""
MAX_LINKS = 256
"""As many photos as INFERENCE_MAX_BATCH lets into a batch."""

_PATH = "/v1/traces"
_FILES = tuple(
    f"OTEL_EXPORTER_OTLP_{of}{kind}"
    for of in ("", "TRACES_")
    for kind in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY")
)

_log = structlog.get_logger("telemetry")


def open_provider(
    url: str, sampler: Sampler, *, service: str, version: str, on_lost: OnLost
) -> TracerProvider:
    """Makes spans and sends them to a collector.

    url: of the collector; /v1/traces is added where it is not there. Raises ValueError for a file
    in an OTEL_ variable that cannot be read; other values that make no sense are said in the log,
    and their defaults are taken, as the standard asks.
    """
    for name in _FILES:
        if (file := os.environ.get(name)) and not os.access(file, os.R_OK):
            raise ValueError(f"{name}: {file} cannot be read")
    words = _LastWords()
    endpoint = url.rstrip("/")
    exporter = OTLPSpanExporter(endpoint if endpoint.endswith(_PATH) else endpoint + _PATH)
    outbox = Outbox(exporter, on_lost, cause=words.said)
    if said := words.said():
        _log.warning("otel_variable_passed_over", said=said)
    provider = TracerProvider(
        sampler=sampler,
        resource=_resource(service, version),
        span_limits=SpanLimits(max_links=MAX_LINKS),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(outbox)
    return provider


def close_provider(provider: TracerProvider, *, seconds: float = FLUSH_SECONDS) -> None:
    """Send what still waits, for at most so long. Blocks."""
    # A daemon: a collector that does not answer must not keep the process from ending.
    closing = threading.Thread(target=provider.shutdown, name="last traces", daemon=True)
    closing.start()
    closing.join(seconds)
    if closing.is_alive():
        _log.warning("last_traces_not_sent", waited_seconds=seconds)


def _resource(service: str, version: str) -> Resource:
    """Which process it is; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go over ours."""
    own: dict[str, str | int] = {
        "service.name": service,
        "service.version": version,
        "process.pid": os.getpid(),
    }
    said = OTELResourceDetector().detect().attributes
    return Resource.create({name: own[name] for name in own if name not in said})


class _LastWords(logging.Handler):
    """Takes what OpenTelemetry logs, a line or two for every try to send, out of our log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._texts: deque[str] = deque(maxlen=2)
        logger = logging.getLogger("opentelemetry")
        logger.addHandler(self)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        self._texts.append(record.getMessage())

    def said(self) -> str:
        """Its last lines since the last time; "" if there were none."""
        texts = list(self._texts)
        self._texts.clear()
        return " ".join(texts)
