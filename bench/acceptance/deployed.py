"""The service on trial: one that is started for it, or one that runs somewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.acceptance.calls import calls_to
from bench.acceptance.operations import EMBED_STATUS
from bench.acceptance.stores import Records, Vectors, started_stores
from bench.kit.processes import start_edge, start_inference_workers
from bench.kit.world import ROOT, World, shared_data

_STARTER = ROOT / "inference" / "models" / "packs" / "starter"
_READY_SECONDS = 120.0
_LOOK_EVERY_SECONDS = 0.5
_OK = 200
_MAY_PASS = 500
"""From here on the service may be on its way; before that, asking again changes nothing."""
_PATIENCE_SECONDS = 30.0


class NotReady(Exception):
    """The service that was named does not answer, or not to this key. Says what it says."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A service that answers."""

    url: str
    key: str
    is_ours: bool
    """Whether it was started for this, and its base is nobody else's."""
    facts: Mapping[str, str]
    """What it is, for the report."""
    notes: tuple[str, ...] = ()
    """What a reader must know."""
    patience_seconds: float = 0.0
    """How long what was added may take to be found."""


_PLACES = 256
"""EDGE_MAX_IN_FLIGHT. Locust and PostgreSQL share the cores with the service, and such machines are
a fifth slower for seconds. The specification names no time for an answer and wants every search
answered: so searches wait here, where by default the edge says 429."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A service that somebody else deployed."""

    url: str
    key: str = field(repr=False)


@contextmanager
def started_service(pack: Path, records: Records, vectors: Vectors) -> Iterator[Deployed]:
    """Stores, an inference server a core and an edge on this machine. Raises StartFailed."""
    world = World(pack)
    with (
        started_stores(records, vectors, world) as stores,
        start_inference_workers(world) as inference,
        start_edge(world, inference, None, EDGE_MAX_IN_FLIGHT=_PLACES, **stores.settings) as edge,
    ):
        servers = 1 + len(inference.more_pids)
        facts = {
            "service": f"started for this: an edge, {servers} inference servers",
            "settings": f"EDGE_MAX_IN_FLIGHT={_PLACES}, all else by default",
            **stores.described,
        }
        notes = [stores.note] if stores.note else []
        if vectors is Vectors.SERVER:
            notes.append("The Milvus server is Milvus Lite's, in Python: slower than Milvus.")
        yield Deployed(edge.url, edge.api_key, True, facts, tuple(notes))


@contextmanager
def service_elsewhere(place: Elsewhere) -> Iterator[Deployed]:
    """One that runs, and takes the key. Raises NotReady, CallFailed."""
    with calls_to(place.url, place.key) as calls:
        end = time.monotonic() + _READY_SECONDS
        # Not /readyz: an Ingress keeps that for the cluster.
        while (answer := calls(EMBED_STATUS, query={"limit": "1"})).status != _OK:
            if answer.status < _MAY_PASS or time.monotonic() >= end:
                raise NotReady(f"{place.url} says {answer.said}: {answer.body[:500]!r}")
            time.sleep(_LOOK_EVERY_SECONDS)
    facts = {"service": place.url}
    notes = ("The figures of the machine below are of the one that asked.",)
    yield Deployed(place.url, place.key, False, facts, notes, _PATIENCE_SECONDS)


def default_pack() -> Path | None:
    """The one that comes with facesearch, of FACESEARCH_MODELS, or of the test data; None: none."""
    if (_STARTER / "pack.toml").is_file():
        return _STARTER
    named = os.environ.get("FACESEARCH_MODELS")
    folder = Path(named) if named else shared_data() / "models" / "mbf128"
    return folder.resolve() if folder.is_dir() else None
