"""The acceptance from the first call to the last."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.acceptance.answers import Alive, AllRemoved, Found
from bench.acceptance.base import IndexFailed, load_base
from bench.acceptance.calls import CallFailed, Calls, calls_to
from bench.acceptance.checks import CHECKS
from bench.acceptance.checks.empty import empty_beside_full
from bench.acceptance.deployed import Deployed, Elsewhere, service_elsewhere, started_service
from bench.acceptance.findings import Findings
from bench.acceptance.load import LoadFailed, Target, judge_load, run_load
from bench.acceptance.locust_stats import LoadStats
from bench.acceptance.operations import PING, REMOVE_ALL, SEARCH
from bench.acceptance.options import Asked
from bench.acceptance.photo_files import write_photos
from bench.acceptance.probes import Probe, keep_probes
from bench.acceptance.report import Acceptance
from bench.acceptance.samples import Samples, find_samples
from bench.acceptance.trial import Names, Trial, run_check
from bench.acceptance.variants import PhotoSet
from bench.kit.machine import machine
from bench.kit.photos import selfie_pictures, selfies
from bench.kit.picture_source import PictureSource, picture_source
from bench.kit.world import ROOT

TOP_KS = (10, 50)


@dataclass(frozen=True, slots=True)
class _Run:
    """What the steps share."""

    asked: Asked
    source: PictureSource
    deployed: Deployed
    calls: Calls
    names: Names
    findings: Findings
    loads: dict[int, LoadStats] = field(default_factory=dict)
    """By top_k."""

    def all(self, samples: Samples, folder: Path) -> None:
        """Every step; one that cannot be carried out is a line, and ends the run."""
        try:
            self.checks(samples)
            collections = self.base(folder / "photos")
            self.load(collections, folder / "selfies")
            self.after_load(samples)
        except (CallFailed, IndexFailed, LoadFailed) as error:
            self.findings.rule("The run", "carried out to its end", "yes", error, passes=False)

    def checks(self, samples: Samples) -> None:
        """Every endpoint."""
        trial = self._trial(samples)
        for check in CHECKS:
            _say(f"checks: {check.__name__.replace('_', ' ')}")
            run_check(check, trial)

    def base(self, folder: Path) -> Sequence[str]:
        """The two collections, filled. Their names."""
        pictures = selfie_pictures(self.source, self.asked.size.selfies)
        photos = PhotoSet(self.source, pictures, self.asked.seed)
        names = [self.names.collection(what) for what in ("first", "second")]
        count = self.asked.size.photos
        _say(f"writing {count} photos")
        collections = write_photos(photos, count, names, folder, _say)
        load_base(
            self.calls, self.deployed.url, self.deployed.key, collections, self.findings, _say
        )
        return names

    def load(self, collections: Sequence[str], folder: Path) -> None:
        """Searches at the rate that was asked for, once for each top_k."""
        size = self.asked.size
        _say(f"searching with {size.selfies} selfies, once each")
        pictures = selfie_pictures(self.source, size.selfies)
        made = selfies(size.selfies, folder=self.asked.photos_dir)
        probes = [
            Probe(selfie, self.source.person(picture))
            for selfie, picture in zip(made, pictures, strict=True)
        ]
        if not keep_probes(self.calls, probes, collections, folder, self.findings):
            return  # which is a line that fails
        target = Target(self.deployed.url, self.deployed.key, folder, collections)
        for top_k in TOP_KS:
            _say(f"load: {size.load.rate:g} searches/s for {size.load.seconds:g} s, top_k {top_k}")
            self.loads[top_k] = run_load(target, size.load, top_k)
            judge_load(self.loads[top_k], size.load, top_k, self.findings)

    def after_load(self, samples: Samples) -> None:
        """Empty collections once more, beside full ones."""
        run_check(empty_beside_full, self._trial(samples))

    def remove(self) -> None:
        """Take this run's collections out of a base that is not ours. Raises CallFailed."""
        for name in self.names.used:
            self.calls(REMOVE_ALL, query={"collection_id": name}).read(AllRemoved)

    def _trial(self, samples: Samples) -> Trial:
        return Trial(
            calls=self.calls,
            samples=samples,
            names=self.names,
            findings=self.findings,
            patience_seconds=self.deployed.patience_seconds,
            is_ours=self.deployed.is_ours,
        )


def accept(asked: Asked) -> Acceptance:
    """Start what is needed, check, fill, load.

    Raises NoPictures, NoPortraits, StartFailed, NotReady; CallFailed before the first check and
    when what was put into a base of others cannot be removed.
    """
    begun, before = time.monotonic(), machine(ROOT)
    date = datetime.now(UTC).date().isoformat()
    source = picture_source(asked.photos_dir)
    _say("starting" if isinstance(asked.service, Path) else "reaching the service")
    with (
        _service(asked) as deployed,
        calls_to(deployed.url, deployed.key) as calls,
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
    ):
        names = Names(f"acceptance-{secrets.token_hex(4)}")
        run = _Run(asked, source, deployed, calls, names, Findings())
        try:
            samples = find_samples(calls, source, names.collection("empty"))
            release = calls(PING, headers={}).read(Alive).version
            pack = _pack(calls, samples, names.collection("empty"))
            run.all(samples, Path(folder))
        finally:
            if not deployed.is_ours and not asked.is_kept:
                run.remove()
    return Acceptance(
        command=" ".join(["python -m bench.acceptance", *asked.words]),
        date=date,
        seconds=time.monotonic() - begun,
        facts={"facesearch": release, "pack": pack, **deployed.facts, **_amounts(asked)},
        notes=deployed.notes,
        machine=before,
        findings=run.findings,
        log=calls.log,
        loads=run.loads,
        rate=asked.size.load.rate,
    )


def _service(asked: Asked) -> AbstractContextManager[Deployed]:
    if isinstance(asked.service, Elsewhere):
        return service_elsewhere(asked.service)
    return started_service(asked.service, asked.records, asked.vectors)


def _pack(calls: Calls, samples: Samples, collection: str) -> str:
    """As answers name it."""
    fields = {"collection_id": collection}
    return str(calls(SEARCH, image=samples.portraits[0], fields=fields).read(Found).model)


def _amounts(asked: Asked) -> dict[str, str]:
    load = asked.size.load
    origin = "test data (LFW)" if asked.photos_dir is None else "a folder of the operator's"
    return {
        "photos": f"{asked.size.photos} in two collections, from {origin} and variants of them, "
        f"seed {asked.seed}",
        "load": f"Locust {version('locust')}: {load.rate:g} searches/s for {load.seconds:g} s "
        "with each top_k, over both collections; no selfie is sent twice",
    }


def _say(step: str) -> None:
    print(f"— {step}", flush=True)
