"""What a Dockerfile says, as far as ours go.

Anything else is refused by its line: a rehearsal that passes over what it does not know would prove
nothing. The words are those of https://docs.docker.com/reference/dockerfile/.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

WORDS = frozenset(
    {
        *("ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
        *("RUN", "STOPSIGNAL", "USER", "WORKDIR"),
    }
)

_VARIABLE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::-(?P<default>[^}]*))?\}|(?P<bare>\w+))")
_HEREDOC = re.compile(r"<<-?[\"']?\w")
_FROM = re.compile(r"(?P<base>\S+)(?:\s+AS\s+(?P<name>[\w.-]+))?", re.IGNORECASE)


class NotUnderstood(Exception):
    """A line that this reader does not know. Names the line."""


@dataclass(frozen=True, slots=True)
class Instruction:
    """One of them, its lines joined."""

    line: int
    word: str
    rest: str

    def refused(self, why: str) -> NotUnderstood:
        """An error that names this line."""
        return NotUnderstood(f"line {self.line}: {self.word} {self.rest}: {why}")


@dataclass(frozen=True, slots=True)
class Stage:
    """From one FROM to the next."""

    base: str
    """As it is written, with variables."""
    name: str | None
    instructions: tuple[Instruction, ...]

    def all(self, word: str) -> list[Instruction]:
        """Its instructions of one kind, in order."""
        return [one for one in self.instructions if one.word == word]


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """All of it. The last stage is what becomes the image."""

    arguments: tuple[Instruction, ...]
    """ARG lines before the first FROM: what base names may say."""
    stages: tuple[Stage, ...]


def parse(text: str) -> Dockerfile:
    """Read a Dockerfile. Raises NotUnderstood."""
    arguments: list[Instruction] = []
    stages: list[Stage] = []
    for instruction in _instructions(text):
        if instruction.word == "FROM":
            found = _FROM.fullmatch(instruction.rest)
            if found is None:
                raise instruction.refused("only FROM name [AS name] is known")
            stages.append(Stage(found["base"], found["name"], ()))
        elif stages:
            last = stages[-1]
            stages[-1] = Stage(last.base, last.name, (*last.instructions, instruction))
        elif instruction.word == "ARG":
            arguments.append(instruction)
        else:
            raise instruction.refused("it comes before the first FROM")
    if not stages:
        raise NotUnderstood("there is no FROM")
    return Dockerfile(tuple(arguments), tuple(stages))


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """With ${NAME}, ${NAME:-default} and $NAME put in; what is not set is empty."""

    def value(found: re.Match[str]) -> str:
        name = found["braced"] or found["bare"]
        return variables.get(name) or found["default"] or ""

    return _VARIABLE.sub(value, text)


def pairs(instruction: Instruction, variables: Mapping[str, str]) -> dict[str, str]:
    """`KEY=value KEY="value"` of ENV, LABEL and ARG. Raises NotUnderstood."""
    found: dict[str, str] = {}
    for part in shlex.split(expanded(instruction.rest, variables)):
        key, equals, value = part.partition("=")
        if not equals:
            raise instruction.refused("write KEY=value")
        found[key] = value
    return found


def exec_form(instruction: Instruction, text: str | None = None) -> tuple[str, ...]:
    """The words of `["program", "argument"]`. Raises NotUnderstood for the shell form.

    text: the part to read; None: all of the instruction.
    """
    try:
        words = json.loads(instruction.rest if text is None else text)
    except ValueError:
        words = None
    if not (isinstance(words, list) and words and all(isinstance(word, str) for word in words)):
        raise instruction.refused('write ["program", "argument"]')
    return tuple(words)


def flags(instruction: Instruction) -> tuple[dict[str, str], str]:
    """The --name=value at its beginning, and what follows them."""
    found: dict[str, str] = {}
    rest = instruction.rest
    while rest.startswith("--"):
        flag, _, rest = rest.partition(" ")
        name, _, value = flag.removeprefix("--").partition("=")
        found[name] = value
        rest = rest.lstrip()
    return found, rest


def _instructions(text: str) -> Iterator[Instruction]:
    joined, first = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("#"):
            if re.match(r"\s*#\s*(escape|syntax)\s*=", line):
                raise NotUnderstood(f"line {number}: parser directives are not known")
            continue  # also in the middle of an instruction
        if not joined:
            first = number
        if line.rstrip().endswith("\\"):
            joined += line.rstrip()[:-1]
        elif (joined + line).strip():
            yield _instruction(first, (joined + line).strip())
            joined = ""
    if joined.strip():
        raise NotUnderstood(f"line {first}: it does not end")


def _instruction(line: int, text: str) -> Instruction:
    word, _, rest = text.partition(" ")
    instruction = Instruction(line, word.upper(), rest.strip())
    if instruction.word not in WORDS:
        raise instruction.refused(f"known are {', '.join(sorted(WORDS))}")
    if instruction.word in {"RUN", "COPY"} and _HEREDOC.search(instruction.rest):
        raise instruction.refused("here-documents are not known")
    return instruction
