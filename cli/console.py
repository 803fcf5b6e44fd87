"""What a command prints: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table


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


def table(*columns: str) -> Table:
    """An empty table in the style of all commands."""
    return Table(*columns, box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
