"""Builds an image as an engine would: stage by stage, instruction by instruction, in real roots."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench.images.dockerfile import Dockerfile, Instruction, Stage, expanded, flags
from bench.images.ignore import Rule, rules_of, visible
from bench.images.image import PATH, Image
from bench.images.state import State, configure

RunCommand = Callable[["Run"], None]
"""Runs it as root in its root. Raises BuildFailed."""
MakeRoot = Callable[[str, Path], None]
"""Makes the root of a base image, by its reference, in a folder that is not there yet."""


class BuildFailed(Exception):
    """A RUN line ended with another code than 0. Carries its last lines."""


@dataclass(frozen=True, slots=True)
class Run:
    """A RUN line, ready to be run."""

    root: Path
    command: str
    environment: Mapping[str, str]
    workdir: str


class Builder:
    """Builds images of one context into folders of its own."""

    def __init__(self, context: Path, work: Path, make_root: MakeRoot, run: RunCommand) -> None:
        """work: of this builder alone; what lies there is replaced."""
        self._context = context
        self._work = work
        self._make_root = make_root
        self._run = run

    def build(
        self, name: str, dockerfile: Dockerfile, arguments: Mapping[str, str] | None = None
    ) -> Image:
        """The image of the last stage.

        arguments: as of --build-arg. Raises NotUnderstood, BuildFailed, or what making the base's
        root raises.
        """
        given = dict(arguments or {})
        bases: dict[str, str] = {}
        for argument in dockerfile.arguments:
            bases |= _argument(argument, bases, given)
        stages: dict[str, Path] = {}
        state = State(self._work)
        for number, stage in enumerate(dockerfile.stages):
            root = self._work / f"{name}-{number}"
            if root.exists():
                shutil.rmtree(root)
            base = expanded(stage.base, bases)
            if base in stages:
                copy_tree(stages[base], root)
            else:
                self._make_root(base, root)
            state = State(root)
            self._fill(stage, state, given, stages)
            stages[stage.name or str(number)] = root
        return state.image()

    def _fill(
        self,
        stage: Stage,
        state: State,
        given: Mapping[str, str],
        stages: Mapping[str, Path],
    ) -> None:
        for one in stage.instructions:
            match one.word:
                case "ARG":
                    state.variables |= _argument(one, state.known, given)
                case "COPY":
                    self._copy(one, state, stages)
                case "RUN":
                    self._run(_run_of(one, state))
                case _:
                    configure(one, state)

    def _copy(self, one: Instruction, state: State, stages: Mapping[str, Path]) -> None:
        options, rest = flags(one)
        *sources, target = shlex.split(expanded(rest, state.known))
        origin = options.pop("from", None)
        if options:
            raise one.refused(f"--{next(iter(options))} is not known")
        if origin is not None and origin not in stages:
            raise one.refused(f"there is no stage {origin} before it")
        for source in sources:
            if origin is not None:
                _copy_folder(one, stages[origin] / source.lstrip("/"), state.outside(target))
            else:
                self._copy_from_context(one, source, target, state)

    def _copy_from_context(self, one: Instruction, source: str, target: str, state: State) -> None:
        """The files that .dockerignore lets through. They belong to who copies them: root."""
        wanted = PurePosixPath(source)
        seen = [
            path
            for path in visible(self._context, self._rules())
            if path == wanted or wanted in path.parents
        ]
        if not seen:
            raise one.refused(f"nothing in the context is called {source}")
        is_file = seen == [wanted]
        if is_file and not target.endswith("/"):
            raise one.refused("a file is copied to a folder: end it with /")
        for path in seen:
            place = state.outside(target) / (path.name if is_file else path.relative_to(wanted))
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self._context / path, place, follow_symlinks=False)

    def _rules(self) -> tuple[Rule, ...]:
        return rules_of((self._context / ".dockerignore").read_text("utf-8"))


def copy_tree(source: Path, target: Path) -> None:
    """Everything, with owners, modes, times and links; shared blocks where the disk can."""
    subprocess.run(["cp", "--archive", "--reflink=auto", str(source), str(target)], check=True)


def _copy_folder(one: Instruction, source: Path, target: Path) -> None:
    if not source.is_dir() or target.exists():
        raise one.refused("between stages a folder is copied to a new one")
    target.parent.mkdir(parents=True, exist_ok=True)
    copy_tree(source, target)


def _argument(
    one: Instruction, variables: Mapping[str, str], given: Mapping[str, str]
) -> dict[str, str]:
    name, _, default = one.rest.partition("=")
    return {name: given.get(name, expanded(default, variables))}


def _run_of(one: Instruction, state: State) -> Run:
    if one.rest.startswith(("--", "[")):
        raise one.refused("options and the exec form are not known")
    if state.user != "0:0":
        raise one.refused("RUN after USER is not known")
    environment = {"PATH": PATH, "HOME": "/root"} | state.variables | state.environment
    return Run(state.root, one.rest, environment, state.workdir)
