"""Where things are kept: environment variables with the prefix `STORAGE_`."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from storage import setting_conflicts, setting_urls
from storage.errors import StoreMisconfigured
from storage.setting_conflicts import PREFIX
from storage.setting_errors import is_out_of_range, words
from storage.setting_urls import MEMORY_URL

__all__ = ["MEMORY_URL", "PREFIX", "StorageSettings", "load_settings"]

Parameters = Annotated[dict[str, bool | int | float | str], NoDecode]


class StorageSettings(BaseSettings):
    """Everything about the stores that an operator may change."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True
    )

    data_dir: Path = Field(
        default=Path("data"),
        description="Folder of everything that has no URL of its own; made if it is not there.",
    )
    vectors_url: str = Field(
        default="",
        description="Empty: Milvus Lite in the data folder, held in memory for searches. "
        "http://host:19530: a Milvus server or cluster. memory://: gone at the end.",
    )
    vectors_token: SecretStr = Field(
        default=SecretStr(""), description="Token of the Milvus server, or user:password."
    )
    vectors_database: str = Field(
        default="",
        max_length=255,
        description="Database on the Milvus server, which must be there already. "
        "Empty: its database `default`.",
    )
    vectors_tls_ca: Path | None = Field(
        default=None,
        description="PEM certificates of whoever signed that of an https:// Milvus server. "
        "Empty: the usual authorities.",
    )
    vectors_tls_cert: Path | None = Field(
        default=None,
        description="PEM certificate chain to show to a Milvus server that asks for one "
        "(tlsMode 2).",
    )
    vectors_tls_key: Path | None = Field(
        default=None, description="PEM private key of vectors_tls_cert."
    )
    vectors_index: Literal[
        "FLAT",
        "HNSW",
        "HNSW_SQ",
        "HNSW_PQ",
        "IVF_FLAT",
        "IVF_SQ8",
        "IVF_PQ",
        "IVF_RABITQ",
        "SCANN",
        "DISKANN",
        "AUTOINDEX",
        "GPU_BRUTE_FORCE",
        "GPU_CAGRA",
        "GPU_IVF_FLAT",
        "GPU_IVF_PQ",
    ] = Field(
        default="FLAT",
        description="Index on a Milvus server, chosen when a space is made. FLAT and "
        "GPU_BRUTE_FORCE answer exactly, the others up to their recall.",
    )
    vectors_index_params: Parameters = Field(
        default={},
        description="Parameters to build it with, as JSON, such as "
        '{"M": 16, "efConstruction": 200}.',
    )
    vectors_search_params: Parameters = Field(
        default={}, description='Parameters to search it with, as JSON, such as {"ef": 128}.'
    )
    vectors_consistency: Literal["bounded", "strong"] = Field(
        default="bounded",
        description="On a Milvus server. bounded: what another edge adds shows within seconds; "
        "strong: at once, and every search waits for it.",
    )
    vectors_replicas: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Copies of the vectors that the query nodes of a Milvus cluster hold in "
        "memory, for more searches at once. 0: as many as the server is set to, which is one.",
    )
    vectors_partition_key_isolation: bool = Field(
        default=False,
        description="Build an HNSW index for each collection, chosen when a space is made. Every "
        "search must then name its collections.",
    )
    records_url: str = Field(
        default="",
        description="Empty: SQLite in the data folder. postgresql://user:password@host/database. "
        "memory://: gone at the end.",
    )
    records_connections: int = Field(
        default=15,
        ge=1,
        le=1000,
        description="The most connections to PostgreSQL of each worker of the edge; up to 6 stay "
        "open. Further calls wait.",
    )
    photos_url: str = Field(
        default="",
        description="Empty: a folder in the data folder. file:///folder: another folder. "
        "s3://bucket/prefix: any S3. memory://: gone at the end.",
    )
    photos_endpoint: str = Field(
        default="",
        description="Of the S3 that is not Amazon's, such as https://storage.yandexcloud.net or "
        "http://minio:9000. Empty: AWS_ENDPOINT_URL, or Amazon's.",
    )
    photos_region: str = Field(
        default="", description="Of the bucket. Empty: AWS_REGION, or us-east-1."
    )
    photos_access_key: SecretStr = Field(
        default=SecretStr(""),
        description="Of S3. Empty: AWS_ACCESS_KEY_ID and so on, or the role of the machine.",
    )
    photos_secret_key: SecretStr = Field(
        default=SecretStr(""), description="Of S3; together with the access key."
    )
    photos_path_style: bool = Field(
        default=True,
        description="true: endpoint/bucket/key, which every S3 understands; false: "
        "bucket.endpoint/key.",
    )
    photos_connections: int = Field(
        default=16,
        ge=1,
        le=1000,
        description="Calls to S3 at once, of each worker of the edge; further ones wait.",
    )
    timeout_seconds: float = Field(
        default=5.0,
        gt=0,
        le=600,
        allow_inf_nan=False,
        description="How long one call to a store may take.",
    )

    @field_validator("vectors_url")
    @classmethod
    def _is_vectors_url(cls, url: str) -> str:
        return setting_urls.vectors_url(url)

    @field_validator("records_url")
    @classmethod
    def _is_records_url(cls, url: str) -> str:
        return setting_urls.records_url(url)

    @field_validator("photos_url")
    @classmethod
    def _is_photos_url(cls, url: str) -> str:
        return setting_urls.photos_url(url)

    @field_validator("photos_endpoint")
    @classmethod
    def _is_endpoint(cls, url: str) -> str:
        return setting_urls.endpoint(url)

    @field_validator("vectors_index_params", "vectors_search_params", mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"that is no JSON: {error}") from error

    @model_validator(mode="after")
    def _agree(self) -> Self:
        setting_conflicts.check(self)
        return self

    @property
    def uses_milvus_server(self) -> bool:
        """Whether vectors are on a Milvus server."""
        return self.vectors_url not in {"", MEMORY_URL}

    @property
    def uses_postgresql(self) -> bool:
        """Whether records are in PostgreSQL."""
        return setting_urls.is_postgresql(self.records_url)

    @property
    def uses_s3(self) -> bool:
        """Whether photos are in a bucket."""
        return self.photos_url.startswith("s3://")

    @property
    def only_one_process(self) -> str | None:
        """Why only one process can be at such a base, and what to do; None: any number can."""
        if MEMORY_URL in {self.vectors_url, self.records_url, self.photos_url}:
            return f"what is in memory:// belongs to one process: set {PREFIX}*_URL to others"
        if not self.uses_milvus_server:
            return (
                "a Milvus Lite folder belongs to one process: "
                f"use a Milvus server for several ({PREFIX}VECTORS_URL)"
            )
        return None

    @property
    def needs_data_dir(self) -> bool:
        """Whether anything is kept in the data folder."""
        return not (self.vectors_url and self.records_url and self.photos_url)


def load_settings(**overrides: object) -> StorageSettings:
    """Settings from the environment, and over them what a command line gave.

    Raises StoreMisconfigured, one line that names the variable and what to do, for an unknown
    variable with the prefix, an impossible value or two that contradict each other.
    """
    _refuse_unknown(os.environ)
    try:
        return StorageSettings(**overrides)  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        raise StoreMisconfigured(_first_line(error)) from None


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    known = [PREFIX + field.upper() for field in StorageSettings.model_fields]
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            closest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)[0]
            raise StoreMisconfigured(f"unknown setting {name}; did you mean {closest}?")


def _first_line(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    message = words(problem, StorageSettings.model_fields)
    if not problem["loc"]:
        return message
    # Other values are left out on purpose: a token, or a URL with a password, may be one.
    value = f"={problem['input']}" if is_out_of_range(problem) else ""
    return f"{PREFIX}{str(problem['loc'][0]).upper()}{value}: {message}"
