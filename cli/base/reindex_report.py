"""What a re-index did, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape

from cli.console import out, print_json


def print_reindex(figures: Mapping[str, object], *, as_json: bool) -> None:
    """The figures, or one line with what to know."""
    if as_json:
        print_json(dict(figures))
        return
    console = out()
    former, present = pack_of(figures, "former"), pack_of(figures, "present")
    console.print(
        f"[green]✓ the base is searched with {escape(present)} now[/]; "
        f"the space of {escape(former)} is kept until you drop it",
        soft_wrap=True,
    )
    console.print(
        f"{figures.get('faces'):,} faces, {figures.get('embedded'):,} embedded, "
        f"{figures.get('seconds')} s"
    )
    if left_out := figures.get("left_out"):
        console.print(
            f"[yellow]{left_out:,} faces were left out:[/] their photos cannot be read any more. "
            "`facesearch check` lists what is missing"
        )


def pack_of(figures: Mapping[str, object], name: str) -> str:
    """The pack's name, "former" or "present"."""
    model = figures.get(name)
    return str(model.get("pack")) if isinstance(model, Mapping) else "?"
