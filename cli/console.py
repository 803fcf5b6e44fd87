"""What a command prints: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


def out() -> Console:
    """For results. In a pipe, lines keep their whole length."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    return console


def err() -> Console:
    """For progress, notes and errors."""
    return Console(stderr=True, highlight=False)


def print_json(value: object) -> None:
    """One JSON document on stdout, and nothing else there."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def note(message: str) -> None:
    """A line beside the result."""
    err().print(escape(message), soft_wrap=True)


def print_error(message: str, todo: str = "") -> None:
    """What went wrong, and what to do about it."""
    console = err()
    console.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)
    if todo:
        console.print(f"[bold]  try:[/] {escape(todo)}", soft_wrap=True)


def examples(*lines: str) -> str:
    """The examples at the foot of a command's --help."""
    shown = "\n\n".join(f"  [cyan]{escape(line)}[/]" for line in lines)
    return f"[bold]Examples[/]\n\n{shown}"


class RateColumn(ProgressColumn):
    """How many are done in a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} {self._unit}/s" if speed else "", style="progress.data.speed")


def progress(unit: str) -> Progress:
    """A bar with count, rate and time left, on stderr; silent where stderr is no terminal."""
    console = err()
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        RateColumn(unit),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
