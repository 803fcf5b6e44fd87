"""What the demo shows at its end: two tables and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.demonstration.run import Searched, Taken
from cli.sheet import Tile, contact_sheet


def print_taken(console: Console, taken: Sequence[Taken]) -> None:
    """The photos that went in."""
    table = Table("photo", "faces", "", title="Photos", title_justify="left")
    for one in taken:
        remark = f"[red]{escape(one.refusal)}[/]" if one.refusal else ""
        if not one.refusal and not one.faces:
            remark = "no faces"
        if not one.is_as_expected:
            remark += " [red](unexpected)[/]"
        table.add_row(escape(one.photo.photo_id), str(one.faces), remark)
    console.print(table)


def print_searched(console: Console, searched: Sequence[Searched]) -> None:
    """The selfies, and the photo that each found first."""
    table = Table(
        "selfie", "first photo found", "score", "", title="Searches", title_justify="left"
    )
    for one in searched:
        first = one.matches[0] if one.matches else None
        table.add_row(
            escape(one.name),
            escape(first.photo_id) if first else escape(one.refusal) or "none",
            f"{first.score:.3f}" if first else "",
            "[green]✓[/]" if one.is_hit else "[red]✗[/]",
        )
    console.print(table)


def sheet_of(searched: Sequence[Searched], taken: Sequence[Taken]) -> bytes:
    """A PNG with a row for each search: the selfie, and the photos it found."""
    images = {one.photo.photo_id: one.image for one in taken}
    rows = []
    for one in searched:
        selfie = Tile(one.selfie, one.face, "selfie", one.name)
        found = [
            Tile(
                images.get(match.photo_id),
                match.face.bbox.rectangle,
                f"{rank} · {match.score:.3f}",
                match.photo_id,
            )
            for rank, match in enumerate(one.matches, start=1)
        ]
        rows.append(
            Image.open(BytesIO(contact_sheet(selfie, found, heading=f"Selfie in: {one.name}")))
        )
    width, height = max(row.width for row in rows), sum(row.height for row in rows)
    sheet = Image.new("RGB", (width, height), rows[0].getpixel((0, 0)))
    y = 0
    for row in rows:
        sheet.paste(row, (0, y))
        y += row.height
    stored = BytesIO()
    sheet.save(stored, "PNG", optimize=True)
    return stored.getvalue()
