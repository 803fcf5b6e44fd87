"""The rehearsal notices what an image must not have."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.images.checks import image_checks, size_bytes
from bench.images.image import Image, User
from bench.images.search import cases_of
from bench.kit.picture_source import Picture

PACKAGES = "opt/facesearch/lib/python3.11/site-packages"


def put(root: Path, name: str, mode: int = 0o644) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("x")
    (root / name).chmod(mode)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The files of an image as it should be, as far as these checks look."""
    root = tmp_path / "root"
    put(root, "usr/bin/env", 0o755)
    put(root, "opt/facesearch/bin/python", 0o755)
    put(root, f"{PACKAGES}/edge/app.py")
    put(root, f"{PACKAGES}/edge/__pycache__/app.cpython-311.pyc")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    return root


def failed(root: Path) -> set[str]:
    """Claims that are not so. The user is one that owns nothing here."""
    image = Image(root, {}, "/", User(os.geteuid() + 10001, 1), (), (), None, "SIGTERM", (), {})
    base = root.parent / "base"
    base.mkdir(exist_ok=True)
    return {check.claim for check in image_checks(image, base, "/data") if not check.is_true}


def test_an_image_as_it_should_be_passes(root: Path) -> None:
    assert failed(root) == set()


@pytest.mark.parametrize(
    ("spoil", "claim"),
    [
        (lambda root: put(root, "usr/bin/x86_64-linux-gnu-gcc-12"), "no compiler"),
        (lambda root: put(root, "usr/bin/ld"), "no compiler"),
        (lambda root: put(root, "opt/facesearch/bin/pip3.11"), "no installer"),
        (lambda root: put(root, f"{PACKAGES}/pip/__init__.py"), "no pip"),
        (lambda root: put(root, f"{PACKAGES}/pip-23.0.1.dist-info/METADATA"), "no pip"),
        (lambda root: put(root, "root/.cache/pip/http/a"), "no caches"),
        (lambda root: put(root, "var/lib/apt/lists/Packages"), "no caches"),
        (lambda root: put(root, "var/cache/apt/archives/a.deb"), "no caches"),
        (lambda root: put(root, "etc/passwd", 0o666), "may write to no file"),
        (lambda root: put(root, f"{PACKAGES}/edge/new.py"), "comes compiled"),
    ],
)
def test_what_is_wrong_is_noticed(root: Path, spoil: Callable[[Path], None], claim: str) -> None:
    spoil(root)
    (noticed,) = failed(root)
    assert claim in noticed


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(100_000))
    before = size_bytes(tmp_path)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert size_bytes(tmp_path) == before


class Pictures:
    """Of three people; the second has two."""

    key = "test"
    _people = ("anna", "boris", "boris", "carl")

    def __len__(self) -> int:
        return len(self._people)

    def picture(self, number: int) -> Picture:
        return np.zeros((1, 1, 3), np.uint8)

    def encoded(self, number: int) -> bytes:
        return str(number).encode()

    def person(self, number: int) -> str:
        return self._people[number]

    def files(self) -> list[bytes]:
        return []


def test_people_are_looked_for_by_another_picture_where_there_is_one() -> None:
    cases = cases_of(Pictures(), 2)
    assert [(case.photo_id, case.photo, case.selfie) for case in cases] == [
        ("boris", b"1", b"2"),
        ("anna", b"0", b"0"),
    ]
