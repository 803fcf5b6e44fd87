"""Fetching a pack, with a bar that moves."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

from cli.console import err, out
from cli.logs import quiet_logs
from inference.models.licence import licence_of
from inference.models.pack import load_pack
from inference.models.pull import pull


def fetch_pack(name: str, models_dir: Path | None) -> None:
    """Fetch it and say its licence. Raises PackError, which says what to copy where."""
    quiet_logs()
    console = err()
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        # How much will come is not known: InsightFace's releases do not go through us.
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with bar:
        task = bar.add_task(f"fetching {escape(name)}", total=None)
        folder = pull(name, models_dir, lambda done: bar.update(task, completed=done))
    pack = load_pack(folder)
    out().print(
        f"[green]✓[/] {escape(pack.id)} is in {escape(str(folder))} (dim {pack.dim})\n"
        f"[bold]Licence:[/] {escape(licence_of(pack))}",
        soft_wrap=True,
    )
