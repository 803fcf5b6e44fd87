"""What must be true of an image and of what runs in it."""

from __future__ import annotations

import fnmatch
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.images.container import Container
from bench.images.image import Image

COMPILERS = (
    *("as", "c++*", "c89*", "c99*", "cargo", "cc", "clang*", "cmake", "cpp", "cpp-*", "g++*"),
    *(
        "gcc*",
        "go",
        "ld",
        "ld.bfd",
        "ld.gold",
        "ld.lld",
        "make",
        "ninja",
        "rustc",
        "tcc",
        "*-linux-gnu-g*",
        "*-linux-gnu-ld*",
    ),
)
INSTALLERS = ("conda", "easy_install*", "pip", "pip3*", "poetry", "uv", "uvx")
SEVERAL = 5
"""Of a list, what is shown."""

_WORLD_WRITABLE_IN_DEBIAN = frozenset({"run/lock", "tmp", "var/tmp"})
_NO_CAPABILITIES = "0000000000000000"


@dataclass(frozen=True, slots=True)
class Check:
    """One claim, and what was found."""

    claim: str
    is_true: bool
    found: str


def image_checks(image: Image, base: Path, data: str | None) -> Iterator[Check]:
    """Of the files of an image. data: the folder that its user may write to."""
    programs = {program.name for program in _programs(image.root)}
    yield _none("no compiler", _matching(programs, COMPILERS))
    yield _none("no installer of packages", _matching(programs, INSTALLERS))
    yield _none("no pip in the environment", sorted(_pips(image.root)))
    yield _none("no caches of pip and apt", sorted(_caches(image.root)))
    allowed = _WORLD_WRITABLE_IN_DEBIAN | ({data.strip("/")} if data else set())
    writable = sorted(_writable(image.root, image.user.uid) - allowed)
    yield _none(f"user {image.user.uid} may write to no file but {data or 'in /tmp'}", writable)
    yield Check("its user is not root", image.user.uid > 0, f"{image.user.uid}:{image.user.gid}")
    bare = sorted(_without_bytecode(image.root))
    yield _none("every module of ours comes compiled", bare)
    size, below = size_bytes(image.root), size_bytes(base)
    yield Check(
        "its size on disk",
        size > below,
        f"{size / 1e6:.0f} MB, {below / 1e6:.0f} MB of it the base",
    )


def process_checks(container: Container, image: Image) -> Iterator[Check]:
    """Of what runs."""
    status = _status(container.pid)
    uids, gids = set(status["Uid"].split()), set(status["Gid"].split())
    wanted = ({str(image.user.uid)}, {str(image.user.gid)})
    yield Check("it runs as that user", (uids, gids) == wanted, f"{uids}, {gids}")
    yield Check("it is PID 1", status["NSpid"].split()[-1] == "1", status["NSpid"])
    capabilities = {name: status[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")}
    is_bare = set(capabilities.values()) == {_NO_CAPABILITIES}
    yield Check("it has no capabilities", is_bare, str(capabilities))
    yield Check("it gets no new privileges", status["NoNewPrivs"] == "1", status["NoNewPrivs"])
    if image.health is not None:
        asked = container.execute(image.health.command)
        yield Check("its HEALTHCHECK says yes", asked.code == 0, asked.output[:200])


def writable_check(container: Container, allowed: set[str]) -> Check:
    """Where its user can write while it runs: asked inside, folder by folder."""
    asked = container.execute(("python", "-c", _WALK))
    found = set(json.loads(asked.output)) if asked.code == 0 else {asked.output}
    return Check(
        f"on the read-only root it can write to {', '.join(sorted(allowed))} only",
        found == allowed,
        ", ".join(sorted(found)),
    )


# Below a writable folder there is nothing more to find. /proc and /sys are the kernel's.
_WALK = """
import json, os
found = []
for folder, folders, _ in os.walk("/"):
    if folder == "/":
        folders[:] = set(folders) - {"proc", "sys"}
    if os.access(folder, os.W_OK):
        found.append(folder)
        folders.clear()
print(json.dumps(found))
"""


def size_bytes(root: Path) -> int:
    """On disk; what has several names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            info = os.lstat(os.path.join(folder, name))  # noqa: PTH118  # half a million of them
            seen[info.st_dev, info.st_ino] = info.st_blocks * 512
    return sum(seen.values())


def _none(claim: str, found: list[str]) -> Check:
    more = f" and {len(found) - SEVERAL} more" if len(found) > SEVERAL else ""
    return Check(claim, not found, f"{', '.join(found[:SEVERAL])}{more}" if found else "none")


def _matching(names: set[str], patterns: tuple[str, ...]) -> list[str]:
    return sorted(name for name in names if any(fnmatch.fnmatchcase(name, one) for one in patterns))


def _programs(root: Path) -> Iterator[Path]:
    folders = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "opt/facesearch/bin")
    for folder in folders:
        if (root / folder).is_dir():
            yield from (root / folder).iterdir()


def _pips(root: Path) -> Iterator[str]:
    for packages in root.glob("opt/*/lib/python3*/site-packages"):
        for found in (*packages.glob("pip"), *packages.glob("pip-*")):
            yield str(found.relative_to(root))


def _caches(root: Path) -> Iterator[str]:
    for folder in ("root/.cache", "tmp", "var/lib/apt/lists"):
        if (root / folder).is_dir():
            yield from (f"{folder}/{one.name}" for one in (root / folder).iterdir())
    yield from (one.name for one in (root / "var/cache/apt/archives").glob("*.deb"))


def _writable(root: Path, uid: int) -> set[str]:
    """Paths that this user may write to by owner and mode, whatever they are mounted as."""
    found: set[str] = set()
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = os.path.join(folder, name)  # noqa: PTH118  # as above
            info = os.lstat(path)
            mode = info.st_mode
            is_own = info.st_uid == uid and mode & stat.S_IWUSR
            if not stat.S_ISLNK(mode) and (is_own or mode & stat.S_IWOTH):
                found.add(os.path.relpath(path, root))
    return found


def _without_bytecode(root: Path) -> Iterator[str]:
    """A process that finds none compiles at every start, and must not keep what it compiled."""
    ours = ("certificates", "cli", "edge", "facesearch", "inference", "storage", "telemetry")
    for packages in root.glob("opt/facesearch/lib/python3*/site-packages"):
        for package in ours:
            for module in (packages / package).rglob("*.py"):
                cached = module.parent / "__pycache__"
                if not any(cached.glob(f"{module.stem}.cpython-*.pyc")):
                    yield str(module.relative_to(packages))


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
