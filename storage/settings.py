"""Where things are kept: environment variables with the prefix `STORAGE_`."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from storage.errors import StoreMisconfigured
from storage.setting_errors import is_out_of_range, words

PREFIX = "STORAGE_"
MEMORY_URL = "memory://"
# Names that every S3 takes as they are; no empty part, which the keys of objects may not have.
_S3_PART = r"/(?!\.{1,2}(?:/|$))[\w!.*'()-]+"
_S3_URL = re.compile(rf"s3://[A-Za-z0-9][A-Za-z0-9._-]{{2,62}}(?:{_S3_PART})*/?", re.ASCII)
Parameters = Annotated[dict[str, int | float | str], NoDecode]


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
    records_url: str = Field(
        default="",
        description="Empty: SQLite in the data folder. postgresql://user:password@host/database. "
        "memory://: gone at the end.",
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
        parts = _split(url)
        if url in {"", MEMORY_URL} or (parts.scheme in {"http", "https"} and parts.hostname):
            return url
        raise ValueError("use http://host:port, https://host:port, memory:// or nothing")

    @field_validator("records_url")
    @classmethod
    def _is_records_url(cls, url: str) -> str:
        scheme = _split(url).scheme.partition("+")[0]
        if url in {"", MEMORY_URL} or scheme in {"postgresql", "postgres", "sqlite"}:
            return url
        raise ValueError("use postgresql://user:password@host/database, memory:// or nothing")

    @field_validator("photos_url")
    @classmethod
    def _is_photos_url(cls, url: str) -> str:
        parts = _split(url)
        if url in {"", MEMORY_URL}:
            return url
        if parts.scheme == "file" and parts.netloc in {"", "localhost"} and len(parts.path) > 1:
            return url
        if _S3_URL.fullmatch(url):
            return url
        raise ValueError("use s3://bucket/prefix, file:///folder, memory:// or nothing")

    @field_validator("photos_endpoint")
    @classmethod
    def _is_endpoint(cls, url: str) -> str:
        parts = _split(url)
        is_bare = parts.path in {"", "/"} and not parts.query and "@" not in parts.netloc
        if not url or (parts.scheme in {"http", "https"} and parts.hostname and is_bare):
            return url.rstrip("/")
        raise ValueError("use https://host, http://host:port or nothing")

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
        of_a_server = {
            "VECTORS_TOKEN": bool(self.vectors_token.get_secret_value()),
            "VECTORS_INDEX": self.vectors_index != "FLAT",
            "VECTORS_INDEX_PARAMS": bool(self.vectors_index_params),
            "VECTORS_SEARCH_PARAMS": bool(self.vectors_search_params),
        }
        idle = [PREFIX + name for name, is_set in of_a_server.items() if is_set]
        if idle and not self.uses_milvus_server:
            raise ValueError(f"{idle[0]} is for a Milvus server: set {PREFIX}VECTORS_URL too")
        self._agree_on_photos()
        return self

    def _agree_on_photos(self) -> None:
        has_key = bool(self.photos_access_key.get_secret_value())
        has_secret = bool(self.photos_secret_key.get_secret_value())
        of_s3 = {
            "PHOTOS_ENDPOINT": bool(self.photos_endpoint),
            "PHOTOS_REGION": bool(self.photos_region),
            "PHOTOS_ACCESS_KEY": has_key,
            "PHOTOS_SECRET_KEY": has_secret,
            "PHOTOS_PATH_STYLE": not self.photos_path_style,
        }
        idle = [PREFIX + name for name, is_set in of_s3.items() if is_set]
        if idle and not self.uses_s3:
            raise ValueError(f"{idle[0]} is for S3: set {PREFIX}PHOTOS_URL=s3://bucket/prefix too")
        if has_key != has_secret:
            raise ValueError(
                f"set {PREFIX}PHOTOS_ACCESS_KEY and {PREFIX}PHOTOS_SECRET_KEY together"
            )

    @property
    def uses_milvus_server(self) -> bool:
        """Whether vectors are on a Milvus server."""
        return self.vectors_url not in {"", MEMORY_URL}

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


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # reading it is the check
    except ValueError as error:
        raise ValueError(f"that is no URL: {error}") from error
    return parts


def _first_line(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    message = words(problem, StorageSettings.model_fields)
    if not problem["loc"]:
        return message
    # Other values are left out on purpose: a token, or a URL with a password, may be one.
    value = f"={problem['input']}" if is_out_of_range(problem) else ""
    return f"{PREFIX}{str(problem['loc'][0]).upper()}{value}: {message}"
