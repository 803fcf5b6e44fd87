"""What a check found, for people and for programs."""

from __future__ import annotations

from rich.markup import escape

from cli.base.check import CheckResult
from cli.console import out, print_json

_PROBLEMS = {
    "bytes_missing": "photos whose bytes are lost; they are listed as failed: index them again",
    "vectors_missing": "faces that no search can find",
    "vectors_unnamed": "leftover vectors that no record names",
    "bytes_unnamed": "leftover photo files that no record names",
    "faces_elsewhere": "faces of another embedding space, which is not searched: index them again",
}


def print_check(result: CheckResult, *, as_json: bool) -> None:
    """The figures, or the verdict with the problems."""
    if as_json:
        print_json(dict(result.figures))
        return
    console = out()
    console.print(f"{result.count('photos'):,} photos, {result.count('faces'):,} indexed faces")
    for name, meaning in _PROBLEMS.items():
        if count := result.count(name):
            console.print(f"  [yellow]{count:,}[/] {meaning}")
    if other := result.figures.get("other_model"):
        console.print(f"  [yellow]the base was made by another pack:[/] {escape(str(other))}")
    if not result.problems:
        console.print("[green]✓ the base is consistent[/]")
    elif not result.remaining:
        console.print(f"[green]✓ repaired:[/] {result.problems:,} problems, none remain")
    elif result.figures.get("is_repaired"):
        console.print(f"[red]{result.remaining:,} problems remain[/]")
    else:
        console.print(
            f"[red]{result.remaining:,} problems[/]; "
            "`facesearch check --repair` mends what can be mended"
        )
