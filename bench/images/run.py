"""RUN lines: as root, in the stage's root, with this machine's network and package sources."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from bench.images.build import BuildFailed, Run
from bench.images.image import ROOT
from bench.images.jail import Bind, Jail, enter

_LAST_LINES = 30
_FETCHING = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""Beginnings of variables that say how packages are fetched; engines pass proxies on, too."""
_SHOWN = ("/etc/hosts", "/etc/resolv.conf", "/etc/pip.conf")
_APT = PurePosixPath("/etc/rehearsal-apt.conf")
_CERTIFICATES = PurePosixPath("/etc/rehearsal-certificates.pem")
"""Not where they are here: ca-certificates writes there when it is installed."""


class Runner:
    """Runs them, and leaves nothing in the root but what they wrote."""

    def __init__(self, apt_settings: Path, binds: Sequence[Path], log: Path) -> None:
        """apt_settings: a file for APT_CONFIG. binds: further paths of this machine that fetching
        needs, shown inside where they are here. log: gets all output."""
        self._environment = fetching(os.environ)
        links = self._environment.get("PIP_FIND_LINKS", "")
        here = {Path(one) for one in (*_SHOWN, links) if one and Path(one).exists()} | set(binds)
        self._binds = [
            Bind(apt_settings, _APT),
            *(Bind(path, PurePosixPath(path)) for path in sorted(here)),
        ]
        if "PIP_CERT" in self._environment:
            self._binds.append(Bind(Path(self._environment["PIP_CERT"]), _CERTIFICATES))
            self._environment["PIP_CERT"] = str(_CERTIFICATES)
        self._log = log

    def __call__(self, run: Run) -> None:
        """Run it. Raises BuildFailed."""
        print(f"  RUN {' '.join(run.command.split())[:100]}", flush=True)
        command = enter(
            Jail(run.root, tuple(self._binds)),
            ["/bin/sh", "-c", run.command],
            user=ROOT,
            environment={**run.environment, **self._environment, "APT_CONFIG": str(_APT)},
            workdir=run.workdir,
        )
        with mount_points(run.root, self._binds), self._log.open("ab+") as log:
            before = log.tell()
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
            ).returncode
            log.seek(before)
            lines = log.read().decode("utf-8", "replace").splitlines()
        if code:
            shown = "\n".join(lines[-_LAST_LINES:])
            raise BuildFailed(f"RUN {run.command}\nended with exit code {code}:\n{shown}")


def fetching(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that say how packages are fetched."""
    return {
        name: value for name, value in environment.items() if name.upper().startswith(_FETCHING)
    }


@contextmanager
def mount_points(root: Path, binds: Sequence[Bind]) -> Iterator[None]:
    """Something to mount on for each; what was not there before is gone again afterwards."""
    made: list[Path] = []
    try:
        for bind in binds:
            place = root / bind.target.relative_to("/")
            for folder in reversed(place.relative_to(root).parents[:-1]):
                if not (root / folder).exists():
                    (root / folder).mkdir()
                    made.append(root / folder)
            if not place.exists():
                place.mkdir() if bind.source.is_dir() else place.touch()
                made.append(place)
        yield
    finally:
        for place in reversed(made):
            if not place.is_dir():
                place.unlink()
            elif not any(place.iterdir()):  # else a package has made it its own meanwhile
                place.rmdir()
