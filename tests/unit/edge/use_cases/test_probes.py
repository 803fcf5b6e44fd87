"""The short memory for selfies."""

from __future__ import annotations

from edge.use_cases.model import SeenFace
from edge.use_cases.probes import Probe, ProbeCache
from storage.records.model import Box, NewFace, Quality
from tests.unit.edge.fakes import MODEL, embedding_of


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def probe() -> Probe:
    quality = Quality(1, 1, 1, 0, 0, 0)
    face = NewFace(Box(0, 0, 1, 1), ((0.0, 0.0),) * 5, 0.9, quality)
    embedding = embedding_of("anna")
    return Probe(SeenFace(face, True, embedding), embedding, 1, MODEL)


def test_a_probe_is_known_until_its_time_is_over() -> None:
    clock = Clock()
    cache, anna = ProbeCache(10, 60.0, clock), probe()
    cache.put("a", anna)
    clock.seconds = 59.9
    assert cache.get("a") is anna
    clock.seconds = 60.0
    assert cache.get("a") is None


def test_the_probe_that_was_unused_for_longest_makes_room() -> None:
    cache = ProbeCache(2, 60.0, Clock())
    cache.put("a", probe())
    cache.put("b", probe())
    cache.get("a")
    cache.put("c", probe())
    assert [name for name in "abc" if cache.get(name)] == ["a", "c"]


def test_a_cache_of_no_size_remembers_nothing() -> None:
    cache = ProbeCache(0, 60.0, Clock())
    cache.put("a", probe())
    assert cache.get("a") is None


def test_a_probe_can_be_forgotten() -> None:
    cache = ProbeCache(2, 60.0, Clock())
    cache.put("a", probe())
    cache.drop("a")
    cache.drop("a")
    assert cache.get("a") is None
