"""Everything by URL: PostgreSQL, a bucket, Milvus, an inference server, two edges."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.contract.milvus_process import MilvusProcess
from tests.contract.postgres_server import PostgresServer, find_binaries, running
from tests.contract.s3_process import S3Process
from tests.integration.processes import Running, start_inference
from tests.integration.system import start_edge


class Servers:
    """All that edges need, and whoever of them is killed started again."""

    def __init__(self, folder: Path, pack: Path, lives: ExitStack) -> None:
        self._folder = folder
        self._pack = pack
        self._lives = lives
        binaries = find_binaries()
        if binaries is None:
            missing("no PostgreSQL here: install Debian's package postgresql")
        assert binaries is not None
        self.records: PostgresServer = lives.enter_context(running(binaries))
        # One thread: milvus-lite 3.2.2 writes its log without a lock.
        self.vectors = lives.enter_context(MilvusProcess(folder / "milvus", max_workers=1))
        bucket = lives.enter_context(S3Process())
        self.settings = bucket.environment(
            bucket.empty_bucket(),
            bucket.key(),
            STORAGE_RECORDS_URL=self.records.url("postgres"),
            STORAGE_VECTORS_URL=self.vectors.url,
            # So that a search finds whatever was acknowledged before it was sent.
            STORAGE_VECTORS_CONSISTENCY="strong",
        )
        self.inference = lives.enter_context(start_inference(pack, SESSIONS="1"))
        self.edges = [self._edge() for _ in range(2)]

    def kill(self, victim: str, number: int) -> None:
        """kill -9."""
        match victim:
            case "edge":
                self.edges[number].kill()
            case "inference":
                self.inference.kill()
            case "records":
                self.records.kill()
            case "vectors":
                self.vectors.kill()

    def replace(self, victim: str, number: int) -> None:
        """A new one in its place, serving."""
        match victim:
            case "edge":
                self.edges[number] = self._edge()
            case "inference":
                port = str(self.inference.port)
                self.inference = self._lives.enter_context(
                    start_inference(self._pack, SESSIONS="1", PORT=port)
                )
            case "records":
                self.records.start()
            case "vectors":
                self.vectors.start()

    def _edge(self) -> Running:
        return self._lives.enter_context(
            start_edge(self._folder / "data", self.inference.address, **self.settings)
        )

    def name_stores(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let commands that run in this process open the same stores."""
        for name in [name for name in os.environ if name.startswith("STORAGE_")]:
            monkeypatch.delenv(name)
        for name, value in self.stores.items():
            monkeypatch.setenv(name, value)

    @property
    def stores(self) -> dict[str, str]:
        """The settings that name the stores."""
        return {k: v for k, v in self.settings.items() if k.startswith("STORAGE_")}
