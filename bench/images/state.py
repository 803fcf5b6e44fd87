"""How a stage is set up, instruction by instruction."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bench.images.dockerfile import Instruction, exec_form, expanded, flags, pairs
from bench.images.image import HealthCheck, Image, user_of


@dataclass
class State:
    """What a stage has come to so far."""

    root: Path
    variables: dict[str, str] = field(default_factory=dict)
    """Of ARG."""
    environment: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    health: HealthCheck | None = None
    stop_signal: str = "SIGTERM"
    ports: tuple[int, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def known(self) -> dict[str, str]:
        """What may be put in: ENV goes over ARG."""
        return self.variables | self.environment

    def inside(self, path: str) -> PurePosixPath:
        """A path of the image, as seen from the working directory."""
        return PurePosixPath(self.workdir) / path

    def outside(self, path: str) -> Path:
        """The same on this machine."""
        return self.root / self.inside(path).relative_to("/")

    def image(self) -> Image:
        """What it is now, as an image. Raises NoNumbers."""
        return Image(
            root=self.root,
            environment=self.environment,
            workdir=self.workdir,
            user=user_of(self.user),
            entrypoint=self.entrypoint,
            command=self.command,
            health=self.health,
            stop_signal=self.stop_signal,
            ports=self.ports,
            labels=self.labels,
        )


def configure(one: Instruction, state: State) -> None:
    """Take in what changes nothing in the root, but for the folder of WORKDIR.

    Raises NotUnderstood.
    """
    match one.word:
        case "ENV":
            state.environment |= pairs(one, state.known)
        case "LABEL":
            state.labels |= pairs(one, state.known)
        case "WORKDIR":
            state.workdir = str(state.inside(expanded(one.rest, state.known)))
            state.outside(".").mkdir(parents=True, exist_ok=True)
        case "USER":
            state.user = one.rest
        case "EXPOSE":
            state.ports += tuple(int(port) for port in one.rest.split())
        case "STOPSIGNAL":
            state.stop_signal = one.rest
        case "ENTRYPOINT":
            state.entrypoint, state.command = exec_form(one), ()
        case "CMD":
            state.command = exec_form(one)
        case "HEALTHCHECK":
            options, rest = flags(one)
            word, _, command = rest.partition(" ")
            if word != "CMD":
                raise one.refused("only HEALTHCHECK [--options] CMD is known")
            state.health = HealthCheck(exec_form(one, command.strip()), options)
        case _:
            raise one.refused("it is not known within a stage")
