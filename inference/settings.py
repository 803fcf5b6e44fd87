"""What an operator may set: environment variables that begin with INFERENCE_."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from inference.errors import StartError
from inference.fair_queue import BatchPolicy
from inference.hangs import MAX_RUN_SECONDS
from inference.pipeline.looks import CLOSE_LOOK, Look, LookPolicy, TurnedLooks
from inference.setting_errors import words

PREFIX = "INFERENCE_"
MIB = 1 << 20
GPU_BUCKETS = (1, 2, 4, 8, 16, 32)
CPU_DETECTOR_BATCH = 1
"""On a CPU an image costs the same alone as in a batch, and a run cannot be interrupted: with
batches of 4 a search beside a call of 64 images took 13 times its usual time, without them 5."""
CPU_RECOGNISER_BATCH = 8
"""A crop costs a twentieth of a look: turns stay short, and fewer runs spare the event loop."""


class SettingsError(StartError):
    """A setting that is unknown, out of range or contradicts another."""


class Settings(BaseSettings):
    """Settings of the inference server. Read once, at the start."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True
    )

    host: str = Field(
        default="127.0.0.1", description="Address to listen on; 0.0.0.0 for every interface."
    )
    port: int = Field(
        default=50051, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    unix_socket: str = Field(
        default="", description="Also listen on this Unix socket; empty: on none."
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address of the Prometheus endpoint."
    )
    metrics_port: int = Field(
        default=9464, ge=0, le=65535, description="Port of the Prometheus endpoint; 0: no endpoint."
    )
    models_dir: Path | None = Field(
        default=None,
        description="Folder with packs, or a pack; looked in before the pack that comes with "
        "facesearch and ~/.insightface/models.",
    )
    pack: str = Field(
        default="auto",
        description="Name of a pack or path of its folder; auto: the best known one in models_dir, "
        "and without models_dir the starter pack that comes with facesearch.",
    )
    expect_dim: int | None = Field(
        default=None,
        ge=1,
        description="Refuse to start if embeddings have another length; empty: any.",
    )
    device: str = Field(
        default="cpu",
        pattern=r"^(cpu|cuda(:\d+)?)$",
        description="cpu or cuda:0. Without that device the server refuses to start.",
    )
    provider: Literal["cuda", "tensorrt"] = Field(
        default="cuda",
        description="What computes on a GPU. tensorrt: engines of its own, built at the first "
        "start, which takes minutes.",
    )
    gpu_memory_bytes: int | None = Field(
        default=None,
        ge=MIB,
        description="Most that the arena of one session holds on a GPU; empty: as much as it has.",
    )
    runtime: Literal["auto", "onnxruntime", "openvino"] = Field(
        default="auto",
        description="What runs the networks. auto: OpenVINO where it is installed, the device is "
        "cpu and the CPU has bf16 instructions (AVX-512 or AMX); else onnxruntime.",
    )
    precision: Literal["auto", "f32", "bf16", "fp16"] = Field(
        default="auto",
        description="In what networks are computed. auto: on OpenVINO bf16 where the CPU has it "
        "and a check at the first start finds the same faces and embeddings as in f32, on a GPU "
        "f32 with the rounding of tensor cores; bf16: without that check; fp16: on a GPU, refused "
        "if the check fails.",
    )
    cache_dir: str = Field(
        default="",
        description="Folder for compiled networks, which make later starts short; empty: "
        "facesearch in $XDG_CACHE_HOME or ~/.cache; none: keep nothing.",
    )
    sessions: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Sessions of each network; empty: one per core and at most 4, on a GPU 2.",
    )
    threads: int = Field(default=1, ge=1, le=64, description="Threads within one session.")
    pixel_threads: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Threads that decode, scale and align where stages have queues (max_batch); "
        "empty: one per core and at most 8.",
    )
    max_batch: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Items in one session run, with a queue for each stage; empty: on a CPU no "
        "batches, each photo goes through all stages on one thread; on a GPU 32.",
    )
    buckets: Annotated[tuple[int, ...] | None, NoDecode] = Field(
        default=None,
        description="Batch sizes to pad up to, ascending, such as 1,2,4,8; none: no padding; "
        "empty: none on a CPU, 1,2,4,8,16,32 on a GPU.",
    )
    max_queue_delay_seconds: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="How long a free session waits for a fuller batch. Only a GPU profits.",
    )
    max_run_seconds: float = Field(
        default=MAX_RUN_SECONDS,
        gt=0,
        allow_inf_nan=False,
        description="A run of a session, or the whole work on a photo where stages have no queues, "
        "that takes longer is taken to hang: its items fail, and its thread and session are left "
        "behind and replaced. At the fourth such thread the server stops, with exit code 3.",
    )
    look_sizes: Annotated[tuple[int, ...], NoDecode] = Field(
        default=LookPolicy().sizes,
        min_length=1,
        description="Detector sizes of a full look in pixels, in the order they are taken; an "
        "early stop may end after any of them. Multiples of 32.",
    )
    turned_looks: TurnedLooks = Field(
        default=TurnedLooks.FULL,
        description="Look at a photo turned by 90, 180 and 270 degrees too, where as it is it "
        "shows no face that surely stands upright. full: for enrolment and detection; always: in "
        "searches too; never.",
    )
    tiles: int = Field(
        default=1,
        ge=1,
        le=8,
        description="Parts a side that a full look also looks at closely, for tiny faces in "
        "crowds, each with the largest look: 2 takes four looks more; 1: none.",
    )
    reduced_decode: bool = Field(
        default=True,
        description="Decode large JPEGs only as finely as looks and faces need; false: in full.",
    )
    min_score: float = Field(
        default=0.5, ge=0, le=1, description="Faces below this detection score are not returned."
    )
    max_items: int = Field(default=64, ge=1, le=4096, description="Items in one call.")
    max_image_bytes: int = Field(default=20 * MIB, ge=1, description="Bytes of one encoded image.")
    max_image_pixels: int = Field(
        default=50_000_000, ge=1, description="Pixels of one image, by its header."
    )
    max_message_bytes: int = Field(
        default=64 * MIB, ge=1024, description="Bytes of one gRPC message."
    )
    queue_items: int = Field(
        default=256, ge=1, description="Items in flight; calls beyond are refused, streams wait."
    )
    queue_bytes: int = Field(
        default=512 * MIB, ge=1024, description="Bytes of encoded images in flight; as queue_items."
    )
    decoded_bytes: int = Field(
        default=1024 * MIB,
        ge=MIB,
        description="Bytes of decoded pixels held at once; items wait for it.",
    )
    call_window: int = Field(
        default=16,
        ge=1,
        le=1024,
        description="Items of one call or stream that are worked on at once.",
    )
    max_connection_age_seconds: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Ask clients to connect anew after so long, without a call lost: one that "
        "balances over a name learns of servers that were added. 0: never.",
    )
    drain_delay_seconds: float = Field(
        default=0.0,
        ge=0,
        description="After SIGTERM: go on serving so long while health says NOT_SERVING, so that "
        "load balancers look away first.",
    )
    drain_timeout_seconds: float = Field(
        default=30.0, ge=0, description="After that: how long calls in flight may take to finish."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least important level that is logged."
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="json: one object a line; console: for reading in a terminal."
    )
    tracing_url: str = Field(
        default="",
        description="OpenTelemetry collector that traces are sent to by OTLP over HTTP, such as "
        "http://127.0.0.1:4318; empty: no traces. docs/tracing.md.",
    )
    tracing_ratio: float = Field(
        default=1.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Share of calls that are traced; a traceparent in the call's metadata, such as "
        "the edge sends, decides for itself.",
    )
    tls_cert: Path | None = Field(
        default=None,
        description="PEM certificate chain: serve TLS on the port; a Unix socket stays plain. "
        "docs/tls.md has the steps.",
    )
    tls_key: Path | None = Field(
        default=None, description="PEM private key of tls_cert, without a passphrase."
    )
    tls_client_ca: Path | None = Field(
        default=None,
        description="PEM certificates: demand a client certificate signed by one (mTLS).",
    )
    reflection: bool = Field(
        default=True, description="Answer gRPC reflection, as grpcurl asks for it."
    )

    @field_validator("look_sizes", "buckets", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.strip() == "none":
            return ()
        return tuple(part.strip() for part in value.split(","))

    @field_validator("look_sizes")
    @classmethod
    def _are_looks(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if any(size < 64 or size > 4096 or size % 32 for size in sizes):
            raise ValueError("looks are multiples of 32 from 64 to 4096")
        if len(set(sizes)) != len(sizes):
            raise ValueError("each look is taken once")
        return sizes

    @field_validator("buckets")
    @classmethod
    def _ascend(cls, buckets: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if buckets and (buckets[0] < 1 or list(buckets) != sorted(set(buckets))):
            raise ValueError("buckets ascend from 1 on")
        return buckets

    @model_validator(mode="after")
    def _has_collector(self) -> Self:
        # Not a check of the field: its error would show a password.
        parts = urlsplit(self.tracing_url)
        if self.tracing_url and not (parts.scheme in ("http", "https") and parts.hostname):
            raise ValueError(
                f"{PREFIX}TRACING_URL: use http://host:port of a collector that speaks OTLP over "
                "HTTP"
            )
        if parts.username is not None:
            raise ValueError(
                f"{PREFIX}TRACING_URL: a user or password belongs into OTEL_EXPORTER_OTLP_HEADERS"
            )
        return self

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError(f"{PREFIX}TLS_CERT and {PREFIX}TLS_KEY belong together: set both")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError(f"{PREFIX}TLS_CLIENT_CA needs {PREFIX}TLS_CERT and {PREFIX}TLS_KEY")
        self._agree_on_device()
        if self.max_items > self.queue_items:
            raise ValueError(f"{PREFIX}QUEUE_ITEMS must hold one call of {PREFIX}MAX_ITEMS")
        if self.max_image_bytes > self.max_message_bytes:
            raise ValueError(f"{PREFIX}MAX_MESSAGE_BYTES must hold {PREFIX}MAX_IMAGE_BYTES")
        if self.max_message_bytes > self.queue_bytes:
            raise ValueError(f"{PREFIX}QUEUE_BYTES must hold one of {PREFIX}MAX_MESSAGE_BYTES")
        return self

    def _agree_on_device(self) -> None:
        if self.is_gpu:
            if self.precision == "bf16":
                raise ValueError(
                    f"{PREFIX}PRECISION=bf16 is for CPUs; with {PREFIX}DEVICE=cuda:0 set fp16"
                )
            return
        needed = f"needs {PREFIX}DEVICE=cuda:0"
        if self.provider != "cuda":
            raise ValueError(f"{PREFIX}PROVIDER={self.provider} {needed}")
        if self.gpu_memory_bytes is not None:
            raise ValueError(f"{PREFIX}GPU_MEMORY_BYTES {needed}")
        if self.precision == "fp16":
            raise ValueError(f"{PREFIX}PRECISION=fp16 {needed}")

    @property
    def look_policy(self) -> LookPolicy:
        """How photos are looked at by a detector that takes any size."""
        looks = tuple(Look(size) for size in self.look_sizes)
        close = None if CLOSE_LOOK in looks else CLOSE_LOOK
        return LookPolicy(looks, close=close, turned=self.turned_looks, tiles=self.tiles)

    @property
    def is_gpu(self) -> bool:
        """Whether a GPU was asked for."""
        return self.device != "cpu"

    @property
    def cache_folder(self) -> Path | None:
        """Where compiled networks are kept; None: nowhere, or there is no home."""
        if self.cache_dir == "none":
            return None
        if self.cache_dir:
            return Path(self.cache_dir)
        # An empty or relative XDG_CACHE_HOME counts as unset (XDG Base Directory 0.8).
        base = Path(os.environ.get("XDG_CACHE_HOME", ""))
        if base.is_absolute():
            return base / "facesearch"
        try:
            return Path.home() / ".cache" / "facesearch"
        except RuntimeError:
            return None  # a user without a home, as in some containers

    @property
    def has_stages(self) -> bool:
        """Whether each stage has a queue, and the networks see batches.

        On a GPU, and where batches are asked for; else a photo goes through all stages on one
        thread.
        """
        return self.is_gpu or self.max_batch is not None or bool(self.buckets)

    @property
    def session_count(self) -> int:
        """Sessions of each network. On a GPU one prepares its batch while the other computes."""
        return self.sessions or (2 if self.is_gpu else min(4, _cores()))

    @property
    def pixel_thread_count(self) -> int:
        """Threads that decode, scale and align."""
        return self.pixel_threads or min(8, _cores())

    @property
    def detector_policy(self) -> BatchPolicy:
        """How batches of looks are cut on this device."""
        return self._policy(CPU_DETECTOR_BATCH)

    @property
    def recogniser_policy(self) -> BatchPolicy:
        """How batches of crops are cut on this device."""
        return self._policy(CPU_RECOGNISER_BATCH)

    def _policy(self, cpu_batch: int) -> BatchPolicy:
        buckets = self.buckets if self.buckets is not None else GPU_BUCKETS if self.is_gpu else ()
        return BatchPolicy(
            max_batch=self.max_batch or (GPU_BUCKETS[-1] if self.is_gpu else cpu_batch),
            max_delay_seconds=self.max_queue_delay_seconds,
            buckets=buckets,
        )


def load_settings(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Settings from the environment, and over them what a command line gave.

    environment: looked through for unknown names; None: the process's own.

    Raises:
        SettingsError: one line that names the variable and what to do.
    """
    for name in os.environ if environment is None else environment:
        if name.upper().startswith(PREFIX):
            _check_known(name.upper())
    try:
        return Settings.model_validate(overrides) if overrides else Settings()
    except ValidationError as error:
        raise SettingsError(_first_line(error)) from error


def _check_known(name: str) -> None:
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    if name in known:
        return
    closest = difflib.get_close_matches(name, known, n=1, cutoff=0.0)[0]
    raise SettingsError(f"unknown setting {name}; did you mean {closest}?")


def _first_line(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    message = words(problem, Settings.model_fields)
    if not problem["loc"]:
        return message
    return f"{PREFIX}{str(problem['loc'][0]).upper()}={problem['input']!r}: {message}"


def _cores() -> int:
    return len(os.sched_getaffinity(0))
