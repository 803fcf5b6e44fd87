"""The real processes that are measured: what `bench.load` starts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.kit import process_tree
from bench.kit.photos import selfie_pictures
from bench.kit.picture_source import picture_source
from bench.kit.processes import Service, start_edge, start_inference_workers
from bench.kit.result import Form
from bench.kit.world import World
from bench.load.base import BaseContents, filled_base
from bench.load.plan import Interface, keep_selfies
from bench.load.probes import probes_of
from bench.load.runs import Generator
from bench.load.sizes import SIZES


@dataclass(frozen=True, slots=True)
class Running:
    """An edge, a server a core, and a generator of searches."""

    edge: Service
    inference: Service
    generator: Generator
    selfies: int
    folder: Path
    """Of the selfies, `<number>.jpg`, and whom they show."""

    @property
    def processes(self) -> list[int]:
        """Of the edge and of inference."""
        servers = (self.inference.pid, *self.inference.more_pids)
        return [*process_tree.tree(self.edge.pid), *servers]

    @property
    def services(self) -> list[Service]:
        return [self.edge, self.inference]


@contextmanager
def running(form: Form, world: World) -> Iterator[Running]:
    """All of it, with the base that the load test fills. Raises what `bench.load` raises."""
    sizes = SIZES[form]
    source = picture_source(world.photos)
    pictures = selfie_pictures(source, sizes.selfies)
    contents = BaseContents(source, pictures, sizes.photos_per_collection)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        start_inference_workers(world) as inference,
        filled_base(world, inference, contents) as data,
        start_edge(world, inference, data_dir=data) as edge,
    ):
        folder = Path(name)
        selfies = probes_of(inference, source, pictures, world.photos)
        keep_selfies(folder, selfies)
        generator = Generator(Interface.SEARCH, [edge, inference], folder)
        yield Running(edge, inference, generator, len(selfies), folder)
