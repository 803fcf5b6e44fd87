"""The edge's settings: environment variables with the prefix `EDGE_`, and `API_KEY` bare."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from edge.errors import StartRefused
from edge.use_cases.model import FacesPolicy, LookPolicy
from edge.use_cases.quality import LowQualityPolicy, QualityRule
from storage.setting_errors import is_out_of_range, words

PREFIX = "EDGE_"
MIB = 1024 * 1024
_MAX_WORKERS = 256


class SettingsError(StartRefused):
    """The settings cannot work. The message is one line that says which and why."""


class EdgeSettings(BaseSettings):
    """Everything about the edge that an operator may change; docs/configuration.md lists it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    api_key: SecretStr | None = Field(
        default=None,
        validation_alias="API_KEY",
        description="One key with every scope. Further keys: `facesearch keys create`.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        description="Port to listen on; 0 takes a free one and logs it.",
    )
    workers: int | Literal["auto"] = Field(
        default=1,
        description="Processes that share the port. More than one need a Milvus server and records "
        "on disk or in PostgreSQL; auto: one for four cores there, else one.",
    )
    replicated: bool = Field(
        default=False,
        description="This edge is one of several copies, as in Kubernetes: refuse to start without "
        "an API_KEY of at least 16 characters, or with stores that copies cannot share.",
    )
    inference_targets: str = Field(
        default="127.0.0.1:50051",
        description="Inference servers, comma separated: `host:port` or `unix:/path`.",
    )
    inference_tls_ca: Path | None = Field(
        default=None,
        description="PEM certificates: speak TLS to inference, and only to servers whose "
        "certificate one of these signed; Unix sockets stay plain. docs/tls.md has the steps.",
    )
    inference_tls_cert: Path | None = Field(
        default=None, description="PEM certificate chain that the edge shows to inference (mTLS)."
    )
    inference_tls_key: Path | None = Field(
        default=None, description="PEM private key of inference_tls_cert, without a passphrase."
    )
    inference_tls_server_name: str = Field(
        default="",
        description="Name in the certificates of inference; empty: the host of each target.",
    )
    score_threshold: float = Field(
        default=0.5,
        ge=-1,
        le=1,
        allow_inf_nan=False,
        description="Cosine similarity from which a photo is a match, where a search names none.",
    )
    search_faces: FacesPolicy = Field(
        default=FacesPolicy.EVERY,
        description="What a selfie with several faces means: `every` refuses it, `prominent` "
        "passes over small and doubtful faces, `largest` never refuses.",
    )
    search_look: LookPolicy = Field(
        default=LookPolicy.EARLY_STOP,
        description="`early_stop` ends a search's look at the selfie once the answer is clear; "
        "`full` looks as thoroughly as an enrolment.",
    )
    min_quality: float = Field(
        default=0.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Overall quality below which a face is called poor when photos are put in; "
        "0: none is. docs/accuracy.md says what the figures mean.",
    )
    low_quality: LowQualityPolicy = Field(
        default=LowQualityPolicy.MARK,
        description="What becomes of poor faces: `mark` indexes them and says `low_quality` in "
        "answers, `refuse` keeps them out of the index.",
    )
    max_top_k: int = Field(
        default=50, ge=1, le=1000, description="The most photos one page of a search may ask for."
    )
    max_search_bytes: int = Field(
        default=5 * MIB, ge=1024, description="Size limit of a selfie, in bytes of the file."
    )
    max_enrol_bytes: int = Field(
        default=20 * MIB, ge=1024, description="Size limit of a photo, in bytes of the file."
    )
    max_field_bytes: int = Field(
        default=64 * 1024,
        ge=1024,
        description="Size limit of all form fields of a request together.",
    )
    max_in_flight: int = Field(
        default=64,
        ge=1,
        description="Requests at work at once in each worker; the next one is answered 429. Those "
        "whose body still comes are not among them; there may be eight times as many.",
    )
    default_timeout_seconds: float = Field(
        default=10.0,
        gt=0,
        allow_inf_nan=False,
        description="Deadline of a request that names none with X-Request-Timeout.",
    )
    max_timeout_seconds: float = Field(
        default=30.0,
        gt=0,
        allow_inf_nan=False,
        description="The longest deadline a request gets; a longer one is cut to it.",
    )
    staged_hours: float = Field(
        default=24.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a photo stays that was detected and no face was added of.",
    )
    sweep_seconds: float = Field(
        default=60.0, gt=0, allow_inf_nan=False, description="Time between two sweeps of leftovers."
    )
    drain_delay_seconds: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="On SIGTERM: how long /readyz says 503 before the port closes.",
    )
    tracing_url: str = Field(
        default="",
        description="OpenTelemetry collector that traces are sent to by OTLP over HTTP, such as "
        "`http://127.0.0.1:4318`; empty: no traces. docs/tracing.md.",
    )
    tracing_ratio: float = Field(
        default=1.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Share of requests that are traced; a `traceparent` in the request decides for "
        "itself.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severe line that is written."
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="One JSON object a line, or columns for a terminal."
    )
    audit_log: str = Field(
        default="",
        description="Where each write and each removal is told in a line: the absolute path of a "
        "file, or stdout. Empty: nowhere. docs/audit.md says what is in it.",
    )

    @property
    def targets(self) -> tuple[str, ...]:
        """Inference servers in the order given."""
        return tuple(part.strip() for part in self.inference_targets.split(",") if part.strip())

    @property
    def quality_rule(self) -> QualityRule:
        """Which faces are poor, and what becomes of them."""
        return QualityRule(self.min_quality, self.low_quality)

    @field_validator("api_key", mode="after")
    @classmethod
    def _empty_is_none(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value is not None and value.get_secret_value() else None

    @field_validator("audit_log", mode="after")
    @classmethod
    def _is_log(cls, value: str) -> str:
        # Commands write to it, too, wherever they are run.
        if value in {"", "stdout"} or value.startswith("/"):
            return value
        raise ValueError("must be the absolute path of a file, or stdout")

    @field_validator("tracing_url")
    @classmethod
    def _is_collector(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and not (parts.scheme in ("http", "https") and parts.hostname):
            raise ValueError("use http://host:port of a collector that speaks OTLP over HTTP")
        if parts.username is not None:
            raise ValueError("a user or password belongs into OTEL_EXPORTER_OTLP_HEADERS")
        return url

    @field_validator("workers", mode="before")
    @classmethod
    def _is_count(cls, value: object) -> object:
        # Said once, and not once for each type that it may have.
        text = str(value)
        if text != "auto" and not (text.isdecimal() and 1 <= int(text) <= _MAX_WORKERS):
            raise ValueError(f"use a number from 1 to {_MAX_WORKERS}, or auto")
        return value

    @model_validator(mode="after")
    def _agree(self) -> EdgeSettings:
        if self.default_timeout_seconds > self.max_timeout_seconds:
            raise ValueError(
                "EDGE_DEFAULT_TIMEOUT_SECONDS is larger than EDGE_MAX_TIMEOUT_SECONDS; "
                "raise the second or lower the first"
            )
        if self.low_quality is LowQualityPolicy.REFUSE and not self.min_quality:
            raise ValueError(
                "EDGE_LOW_QUALITY=refuse refuses nothing without EDGE_MIN_QUALITY; set both or none"
            )
        if not self.targets:
            raise ValueError("EDGE_INFERENCE_TARGETS names no server; give at least one host:port")
        self._agree_on_tls()
        return self

    def _agree_on_tls(self) -> None:
        if (self.inference_tls_cert is None) != (self.inference_tls_key is None):
            raise ValueError(
                "EDGE_INFERENCE_TLS_CERT and EDGE_INFERENCE_TLS_KEY belong together: set both"
            )
        if self.inference_tls_ca is not None:
            return
        if self.inference_tls_cert is not None or self.inference_tls_server_name:
            raise ValueError(
                "EDGE_INFERENCE_TLS_CERT and EDGE_INFERENCE_TLS_SERVER_NAME need "
                "EDGE_INFERENCE_TLS_CA, without which the edge speaks no TLS"
            )


def load_settings(**flags: object) -> EdgeSettings:
    """Settings from the environment, `flags` over it.

    Raises SettingsError for an unknown variable with the prefix, or for a value that cannot be.
    """
    _refuse_unknown(os.environ)
    try:
        return EdgeSettings(**flags)  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(entry) for entry in error.errors())) from None


def _refuse_unknown(environ: Mapping[str, str]) -> None:
    known = [PREFIX + name.upper() for name in EdgeSettings.model_fields if name != "api_key"]
    for variable in sorted(environ):
        if variable.upper().startswith(PREFIX) and variable.upper() not in known:
            close = difflib.get_close_matches(variable.upper(), known, n=1)
            hint = f"; did you mean {close[0]}?" if close else "; docs/configuration.md lists all"
            raise SettingsError(f"unknown setting {variable}{hint}")


def _sentence(entry: ErrorDetails) -> str:
    message = words(entry, EdgeSettings.model_fields)
    if not entry["loc"]:
        return message
    name = str(entry["loc"][0])
    # Other values are left out on purpose: API_KEY is a setting too.
    value = f"={entry['input']}" if is_out_of_range(entry) else ""
    return f"{name if name == 'API_KEY' else PREFIX + name.upper()}{value}: {message}"
