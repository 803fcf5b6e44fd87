"""The load test: what holds at the reference rate, how far it goes, and what happens beyond."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.kit.photos import selfie_pictures
from bench.kit.picture_source import picture_source
from bench.kit.processes import start_edge, start_inference_workers
from bench.kit.result import JSON, Form, Result
from bench.kit.world import World
from bench.load import tables
from bench.load.analyze_load import load_analyze
from bench.load.base import BaseContents, filled_base
from bench.load.plan import Interface, keep_selfies
from bench.load.probes import probes_of
from bench.load.runs import Generator
from bench.load.search_load import load_search
from bench.load.sizes import SIZES


def measure(form: Form, world: World) -> Result:
    """Everything on the cores of one machine: inference, edge and the generator.

    Raises NoPictures, NoSelfies, StartFailed, RequestFailed, SearchesFail,
    GeneratorFailed.
    """
    sizes = SIZES[form]
    source = picture_source(world.photos)
    pictures = selfie_pictures(source, sizes.selfies)
    contents = BaseContents(source, pictures, sizes.photos_per_collection)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        start_inference_workers(world) as inference,
        filled_base(world, inference, contents) as data,
        start_edge(world, inference, data_dir=data) as edge,
    ):
        selfies = probes_of(inference, source, pictures, world.photos)
        keep_selfies(Path(folder), selfies)
        metrics = (*inference.metrics_urls, f"{edge.url}/metrics")
        generator = Generator(Interface.SEARCH, [edge, inference], Path(folder))
        search = load_search(generator, len(selfies), metrics, form, sizes, _say)
        generator = Generator(Interface.ANALYZE, [inference], Path(folder))
        analyze = load_analyze(generator, search.hold.run.plan.rate, sizes, _say)
        resident: dict[str, JSON] = {
            service.name: round(service.rss_bytes() / 1e6) for service in (inference, edge)
        }
    runs = {**search.runs, analyze.name: analyze.hold}
    return Result(
        "load",
        form,
        [*search.figures(), *analyze.figures()],
        [
            tables.latency_table(runs),
            tables.cpu_table(runs),
            tables.generator_table(runs),
            *search.tables(),
            *analyze.tables(),
        ],
        [*search.plots(), *analyze.plots()],
        {
            "photos in each of 2 collections": sizes.photos_per_collection,
            "selfies": len(selfies),
            "mean selfie bytes": round(sum(len(one.data) for one in selfies) / len(selfies)),
            "resident MB": resident,
        },
    )


def _say(step: str) -> None:
    print(f"  {step}", flush=True)
