"""Help texts as the terminal is to show them."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import typer
from rich.markup import escape


def examples(*lines: str) -> str:
    """The examples at the foot of a command's --help."""
    return "\n".join(["[bold]Examples[/]", "", *(f"  [cyan]{escape(line)}[/]" for line in lines)])


def unwrap(app: typer.Typer) -> None:
    """Let every docstring flow: its line breaks are for the source, its paragraphs for readers."""
    for command in app.registered_commands:
        command.help = _prose(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            unwrap(group.typer_instance)
    if app.registered_callback is not None:
        app.registered_callback.help = _prose(app.registered_callback.callback)


def _prose(function: Callable[..., object] | None) -> str:
    text = inspect.getdoc(function) or "" if function is not None else ""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
