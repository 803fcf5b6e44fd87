"""The workflows of GitHub Actions as tests read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # has no types

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # has no types
    """YAML 1.2 as GitHub reads it: `on` is a word, and only true and false are booleans."""


_BOOL = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|false)$"), list("tf"))


@dataclass(frozen=True)
class Step:
    """One step of a job."""

    workflow: str
    job: str
    fields: dict[str, Any]

    def __str__(self) -> str:
        shown = self.fields.get("name") or self.fields.get("uses") or self.fields.get("run")
        return f"{self.workflow} {self.job}: {str(shown).splitlines()[0]}"


def read(workflow: Path) -> dict[str, Any]:
    """A workflow."""
    found = yaml.load(workflow.read_text("utf-8"), _Loader)  # noqa: S506  # a SafeLoader
    assert isinstance(found, dict)
    return found


def steps() -> Iterator[Step]:
    """All steps of all workflows."""
    for workflow in WORKFLOWS:
        for job, fields in read(workflow)["jobs"].items():
            for step in fields["steps"]:
                yield Step(workflow.stem, job, step)


def commands() -> list[Step]:
    """Those that run a shell."""
    return [step for step in steps() if "run" in step.fields]


def actions() -> list[Step]:
    """Those that take an action."""
    return [step for step in steps() if "uses" in step.fields]
