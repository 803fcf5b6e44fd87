"""An image that was built: its files, and how it is run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What an engine sets where nobody else does."""

_USER = re.compile(r"(?P<uid>\d+):(?P<gid>\d+)")


class NoNumbers(Exception):
    """A user that is named: Kubernetes cannot tell whether a name is root."""


@dataclass(frozen=True, slots=True)
class User:
    """Who runs."""

    uid: int
    gid: int


ROOT = User(0, 0)


def user_of(text: str) -> User:
    """`10001:10001`. Raises NoNumbers."""
    found = _USER.fullmatch(text)
    if found is None:
        raise NoNumbers(f"USER {text}: write the numbers of user and group")
    return User(int(found["uid"]), int(found["gid"]))


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """HEALTHCHECK: what is asked, and the options as they are written."""

    command: tuple[str, ...]
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Image:
    """What the last stage came to."""

    root: Path
    environment: Mapping[str, str]
    workdir: str
    user: User
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    health: HealthCheck | None
    stop_signal: str
    ports: tuple[int, ...]
    labels: Mapping[str, str]

    @property
    def surroundings(self) -> dict[str, str]:
        """The environment of its processes: HOME comes from /etc/passwd, as an engine does it."""
        return {"PATH": PATH, "HOME": home_of(self.root, self.user)} | dict(self.environment)


def home_of(root: Path, user: User) -> str:
    """The home of a user, by the root's own /etc/passwd; "/" for one who is not in it."""
    for line in (root / "etc/passwd").read_text("utf-8").splitlines():
        fields = line.split(":")
        if int(fields[2]) == user.uid:
            return fields[5]
    return "/"
