"""A service of an image, run as hardened containers are: `docker run --read-only`."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.images.image import Image
from bench.images.jail import Bind, Jail, enter, join

_START_SECONDS = 240.0
_POLL_SECONDS = 0.2
_LAST_LINES = 20


class ContainerFailed(Exception):
    """It ended, or did not become healthy. Carries its last lines."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command in a container said."""

    code: int
    output: str


class Container:
    """A running service."""

    def __init__(
        self,
        image: Image,
        jail: Jail,
        environment: Mapping[str, str],
        process: subprocess.Popen[bytes],
        log: Path,
    ) -> None:
        self._image = image
        self._jail = jail
        self._environment = environment
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Of its PID 1, as this machine counts. Raises ContainerFailed."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        while self._process.poll() is None:
            with suppress(OSError):
                if found := children.read_text("ascii").split():
                    return int(found[0])
            time.sleep(_POLL_SECONDS / 10)  # unshare(1) has not forked yet
        raise self._failed("it has ended")

    def execute(self, command: tuple[str, ...]) -> Ended:
        """A command beside the service, as `docker exec`."""
        joined = join(
            self.pid,
            self._jail,
            command,
            user=self._image.user,
            environment=self._environment,
            workdir=self._image.workdir,
        )
        ended = subprocess.run(
            joined, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False
        )
        return Ended(ended.returncode, ended.stdout.decode("utf-8", "replace").strip())

    def until_healthy(self) -> None:
        """Ask its HEALTHCHECK until it says yes. Raises ContainerFailed."""
        if self._image.health is None:
            raise self._failed("its image has no HEALTHCHECK")
        end = time.monotonic() + _START_SECONDS
        while (asked := self.execute(self._image.health.command)).code:
            if self._process.poll() is not None or time.monotonic() > end:
                raise self._failed(f"it is not healthy: {asked.output}")
            time.sleep(_POLL_SECONDS)

    def stop(self, seconds: float) -> int:
        """The image's stop signal; its exit code. Raises ContainerFailed if it goes on running."""
        os.kill(self.pid, signal.Signals[self._image.stop_signal])
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            why = f"it goes on {seconds:g} s after {self._image.stop_signal}"
            raise self._failed(why) from None

    def ended(self, seconds: float) -> Ended:
        """How it ended by itself, and all it wrote. Raises ContainerFailed if it goes on."""
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self._failed(f"it goes on after {seconds:g} s") from None
        return Ended(code, self._log.read_text("utf-8", "replace").strip())

    def kill(self) -> None:
        """End it whatever it does. All else in it ends with its PID 1."""
        with suppress(ContainerFailed, ProcessLookupError):
            # Not unshare(1) alone: the kernel forgets --kill-child when a process changes its user.
            os.kill(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()

    def _failed(self, why: str) -> ContainerFailed:
        lines = self._log.read_text("utf-8", "replace").splitlines()
        shown = "\n".join(lines[-_LAST_LINES:])
        return ContainerFailed(f"{' '.join(self._image.entrypoint)}: {why}\n{shown}")


@contextmanager
def running(
    image: Image, environment: Mapping[str, str], binds: tuple[Bind, ...], log: Path
) -> Iterator[Container]:
    """The image's own command on a read-only root; killed on leaving the block.

    environment: over the image's, as of --env. binds: as of --volume; their targets are there.
    """
    jail = Jail(image.root, binds, is_read_only=True)
    variables = image.surroundings | dict(environment)
    command = enter(
        jail,
        (*image.entrypoint, *image.command),
        user=image.user,
        environment=variables,
        workdir=image.workdir,
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    container = Container(image, jail, variables, process, log)
    try:
        yield container
    finally:
        container.kill()
