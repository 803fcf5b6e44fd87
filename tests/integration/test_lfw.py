"""2,000 photos in two collections, 300 other photos of the same people as selfies."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import FIGURE
from tests.integration.system import KEY, Client, System, start_system

pytestmark = [pytest.mark.pack, pytest.mark.slow, pytest.mark.timeout(1200)]

PHOTOS_EACH = 1_000
SEARCHES_EACH = 150


@dataclass
class Half:
    """One collection: photos to enrol, and other photos of people who are enrolled."""

    enrolled: dict[str, bytes] = field(default_factory=dict)
    probes: dict[str, bytes] = field(default_factory=dict)


def person_of(photo_id: str) -> str:
    """Person_Name_0001.webp → Person_Name."""
    return photo_id.rsplit("/", 1)[-1].rsplit("_", 1)[0]


@pytest.fixture(scope="module")
def halves(shared: Path) -> dict[str, Half]:
    """People split in two by a hash of their names; the last photo of each may be a probe."""
    with zipfile.ZipFile(shared / "data" / "lfw-dev.zip") as archive:
        people: dict[str, list[str]] = defaultdict(list)
        for name in sorted(archive.namelist()):
            if name.endswith(".webp"):
                people[person_of(name)].append(name)
        halves = {"a": Half(), "b": Half()}
        by_hash = sorted(people, key=lambda person: hashlib.sha256(person.encode()).digest())
        for number, person in enumerate(p for p in by_hash if len(people[p]) > 1):
            half = halves["ab"[number % 2]]
            # One person with hundreds of photos would fill the collection.
            *others, probe = people[person][:8]
            for name in others[: PHOTOS_EACH - len(half.enrolled)]:
                half.enrolled[Path(name).name] = archive.read(name)
            if person in {person_of(photo) for photo in half.enrolled}:
                half.probes[Path(name := probe).name] = archive.read(name)
    assert all(len(half.enrolled) == PHOTOS_EACH for half in halves.values())
    return halves


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, pack_dir: Path, halves: dict[str, Half]
) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("lfw")
    with start_system(folder / "data", pack_dir) as running:
        for collection, half in halves.items():
            photos = folder / collection
            photos.mkdir()
            for name, image in half.enrolled.items():
                (photos / name).write_bytes(image)
            command = [
                *(sys.executable, "-m", "cli.main", "index", str(photos)),
                *("--collection", collection, "--url", running.edge.url, "--key", KEY),
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
        yield running


def test_every_photo_is_there_once(system: System, halves: dict[str, Half]) -> None:
    for collection, half in halves.items():
        there = [item["photo_id"] for item in system.client.listing(collection_id=collection)]
        assert sorted(there) == sorted(half.enrolled)


def test_the_most_similar_photo_shows_the_person_and_collections_never_mix(
    system: System, halves: dict[str, Half], record_property: Callable[[str, object], None]
) -> None:
    hits = searches = passed_over = foreign = 0
    for collection, half in halves.items():
        done = 0
        for name, image in half.probes.items():
            if done == SEARCHES_EACH:
                break
            answer = system.client.try_search(image, [collection], score_threshold=-1)
            if answer.status_code == 422:
                passed_over += 1
                continue
            assert answer.status_code == 200, answer.text
            results = answer.json()["results"]
            foreign += sum(row["collection_id"] != collection for row in results)
            hits += person_of(results[0]["photo_id"]) == person_of(name)
            done += 1
        searches += done
    record_property(
        FIGURE,
        f"{searches} searches over 2 × {PHOTOS_EACH} LFW photos: rank-1 {hits / searches:.1%}, "
        f"{foreign} results of the other collection; {passed_over} probes passed over "
        "(not exactly one face that counts)",
    )
    assert searches == 2 * SEARCHES_EACH
    assert foreign == 0
    assert hits / searches >= 0.97


def test_a_person_of_one_collection_is_not_found_in_the_other(
    system: System, halves: dict[str, Half]
) -> None:
    client: Client = system.client
    for name, image in list(halves["a"].probes.items())[:20]:
        answer = client.try_search(image, ["b"], score_threshold=-1, top_k=50)
        if answer.status_code == 200:
            assert all(
                person_of(row["photo_id"]) != person_of(name) for row in answer.json()["results"]
            )
