"""Service times of one pack on one machine: what the model is fed with."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import NormalDist, fmean, pstdev
from typing import Self

from pydantic import TypeAdapter

from bench.capacity.model.work import Part, Photo, Work
from bench.kit.result import JSON

CLIENT_WAKES, EDGE_WAKES, LOOP_WAKES = 2, 7, 4
"""In how many pieces the work of a search comes, counted in the code: the edge reads the body in
pieces and asks two threads for vectors and records; calls of gRPC pass a thread of its own."""
PROFILES = Path(__file__).with_name("profiles")
_FACTORS = 12
_BEFORE = 0.45
"""Of the edge's work on a search, what comes before inference: the body, its digest, the call."""
_REFUSAL = 0.3
"""Of the edge's work on a search, what a refusal costs: the body is read, little else."""


@dataclass(frozen=True, slots=True)
class Background:
    """CPU that a process takes while nobody asks it anything, in seconds a second."""

    edge: float
    inference: float
    """Of one server."""
    others: float = 0.0
    """Of everything else on the machine, the kernel and the hypervisor included."""
    burst: float = 0.001
    """How long it keeps a core at a time, in seconds."""


@dataclass(frozen=True, slots=True)
class Resident:
    """Bytes of memory of one process under load."""

    edge: int
    inference: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What a search costs, part by part. Seconds everywhere."""

    pack: str
    source: str
    """Where the figures come from, in words."""
    machine: dict[str, JSON]
    cores: int
    servers: int
    """Inference servers that ran, with one session each."""
    photos: list[Photo]
    """One a request, while nothing waited: how the stages are spread."""
    photo_seconds: float
    """CPU of the threads that work on photos, a request, while the machine is at work."""
    client: Part
    edge: Part
    loop: Part
    """Of the event loop and gRPC's threads of inference."""
    background: Background
    pauses: float
    """Of a request, in which nobody's CPU is used."""
    lateness: list[float]
    """Of the load generator: quantiles at even distances."""
    shared_speed: float
    """Speed of a core while all are busy, to that while the others are idle."""
    resident: Resident
    speeds: list[float] = field(default_factory=lambda: [1.0])
    """Of a core over time, in the mean 1; one figure every `speeds_every`. Others use the machine
    too."""
    speeds_every: float = 0.1
    spread: float = 0.0
    """How much what a request takes of the CPU, its photo included, differs from what its photo's
    stages took while nothing waited: a standard deviation, as a share of the mean."""

    def works(self) -> list[Work]:
        """Requests for each photo, to draw from."""
        mean = sum(photo.total for photo in self.photos) / len(self.photos)
        factor = self.photo_seconds / mean
        return [
            self._work(photo, factor).times(each)
            for photo in self.photos
            for each in spread_about_one(self.spread)
        ]

    def scaled(self, factor: float) -> Self:
        """Every CPU time so many times as long: the same on another machine, or calibrated."""
        return replace(
            self,
            photo_seconds=self.photo_seconds * factor,
            client=self.client.times(factor),
            edge=self.edge.times(factor),
            loop=self.loop.times(factor),
        )

    @property
    def cpu_seconds(self) -> float:
        """Of a request, by all processes, without what they take at rest."""
        parts = (self.client, self.edge, self.loop)
        return self.photo_seconds + sum(part.seconds for part in parts)

    def save(self, file: Path) -> None:
        """Write it down; `load` reads it."""
        file.parent.mkdir(parents=True, exist_ok=True)
        plain = TypeAdapter(Profile).dump_python(_rounded(self), mode="json")
        file.write_text(json.dumps(plain, ensure_ascii=False) + "\n", "utf-8")

    @classmethod
    def load(cls, file: Path) -> Profile:
        """What `save` wrote. Raises OSError, pydantic's ValidationError for anything else."""
        return TypeAdapter(Profile).validate_json(file.read_bytes())

    def _work(self, photo: Photo, factor: float) -> Work:
        return Work(
            photo=photo.times(decode=factor, detect=factor, align=factor, embed=factor),
            send=_share(self.client, 0.5),
            receive=_share(self.client, 0.5),
            edge_before=_share(self.edge, _BEFORE),
            edge_after=_share(self.edge, 1 - _BEFORE),
            loop_before=_share(self.loop, 0.5),
            loop_after=_share(self.loop, 0.5),
            edge_refusal=_share(self.edge, _REFUSAL),
            loop_refusal=_share(self.loop, 0.5),
            pauses=self.pauses,
        )


def _share(part: Part, share: float) -> Part:
    return Part(part.seconds * share, max(1, round(part.wakes * share)))


def _rounded(profile: Profile) -> Profile:
    """To microseconds: what lies below is noise, and files are read by people too."""
    return replace(
        profile,
        photos=[
            Photo(*(round(s, 6) for s in (one.decode, one.detect, one.align, one.embed)))
            for one in profile.photos
        ],
        lateness=[round(seconds, 6) for seconds in profile.lateness],
        speeds=[round(speed, 4) for speed in profile.speeds],
    )


def spread_about_one(deviation: float) -> list[float]:
    """Equally likely factors with a mean of 1 and this standard deviation, spread as times are:
    lognormally. Just 1 for a deviation of 0."""
    if deviation <= 0:
        return [1.0]
    sigma = math.sqrt(math.log(1 + deviation**2))
    normal = NormalDist(0.0, sigma)
    factors = [math.exp(normal.inv_cdf((n + 0.5) / _FACTORS)) for n in range(_FACTORS)]
    # So few lie a little closer together than the distribution does.
    mean, own = fmean(factors), pstdev(factors)
    return [max(0.0, 1 + (factor - mean) * deviation / own) for factor in factors]


def quantiles(values: Sequence[float], count: int = 100) -> list[float]:
    """So many of them, at even distances. Raises ValueError if there are no values."""
    if not values:
        raise ValueError("no values, so no quantiles")
    ordered = sorted(values)
    return [ordered[int((n + 0.5) / count * len(ordered))] for n in range(count)]
