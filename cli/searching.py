"""A search from the selfie to the table and the contact sheet."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from cli.access import ServiceChoice, reach
from cli.console import note, out, print_json, table
from cli.errors import CommandError, ExitCode
from cli.rest.answers import Found, MatchRow
from cli.rest.client import EdgeClient, Refused

_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class SearchOrder:
    """What to search for, and where."""

    name: str
    """Of the selfie's file."""
    selfie: bytes
    collections: tuple[str, ...]
    top_k: int
    threshold: str | None
    sheet: Path | None


async def search_photos(order: SearchOrder, choice: ServiceChoice, *, as_json: bool) -> None:
    """Search, print, and write the sheet if one is asked for."""
    async with reach(choice) as access:
        found, answer = await access.guard(_search(order, access.client))
        if order.sheet is not None:
            image = await access.guard(_sheet(order, found, access.client))
            _write(order.sheet, image)
    if as_json:
        print_json(answer)
    else:
        _print_table(order, found)
    if order.sheet is not None:
        note(f"The contact sheet is in {order.sheet}.")


async def _search(order: SearchOrder, client: EdgeClient) -> tuple[Found, object]:
    try:
        return await client.search(
            order.selfie,
            collections=order.collections,
            top_k=order.top_k,
            threshold=order.threshold,
        )
    except Refused as error:
        match error.code:
            case "no_faces_detected":
                raise CommandError(
                    f"there is no face on {order.name}",
                    "take a photo that shows one face clearly",
                    exit_code=ExitCode.USAGE,
                ) from None
            case "too_many_faces":
                raise CommandError(
                    f"{order.name} shows more than one person: {error.reason}",
                    "cut the photo down to one of them",
                    exit_code=ExitCode.USAGE,
                ) from None
            case _:
                raise


def _print_table(order: SearchOrder, found: Found) -> None:
    if not found.results:
        elsewhere = ", or leave --collection out to search everywhere" if order.collections else ""
        note(
            f"No photo shows the person of {order.name} at a similarity of "
            f"{found.score_threshold:g} or more. "
            f"Lower --threshold to see less sure ones{elsewhere}."
        )
        return
    rows = table("", "photo_id", "collection", "score", "face (x, y, width × height)")
    rows.columns[0].justify = rows.columns[3].justify = "right"
    rows.columns[1].overflow = rows.columns[2].overflow = "fold"
    for rank, row in enumerate(found.results, start=1):
        box = row.face.bbox
        rows.add_row(
            str(rank),
            escape(row.photo_id),
            escape(row.collection_id or "–"),
            f"{row.score:.4f}",
            f"{box.x:.0f}, {box.y:.0f}, {box.width:.0f} × {box.height:.0f}",
        )
    out().print(rows)
    note(f"At a similarity of {found.score_threshold:g} or more.")


async def _sheet(order: SearchOrder, found: Found, client: EdgeClient) -> bytes:
    try:
        from cli.sheet import Tile, contact_sheet  # noqa: PLC0415  # Pillow is not in every install
    except ImportError:
        raise CommandError(
            "a contact sheet needs Pillow", 'pip install "facesearch[cpu]", or leave --sheet out'
        ) from None

    images = await asyncio.gather(*(_image(row, client) for row in found.results))
    photos = "1 photo" if len(images) == 1 else f"{len(images)} photos"
    where = f" in {', '.join(order.collections)}" if order.collections else ""
    return await asyncio.to_thread(
        contact_sheet,
        Tile(order.selfie, found.query.bbox.rectangle, "selfie", order.name),
        [
            Tile(
                image,
                row.face.bbox.rectangle,
                f"{rank} · {row.score:.3f}",
                " · ".join(filter(None, (row.photo_id, row.collection_id))),
            )
            for rank, (row, image) in enumerate(zip(found.results, images, strict=True), start=1)
        ],
        heading=f"{photos}{where} at a similarity of {found.score_threshold:g} or more",
    )


async def _image(row: MatchRow, client: EdgeClient) -> bytes | None:
    try:
        return await client.image(row.photo_id, row.collection_id)
    except Refused as error:
        if error.status == _NOT_FOUND:  # removed since, or its bytes are lost
            return None
        raise


def _write(path: Path, image: bytes) -> None:
    try:
        path.write_bytes(image)
    except OSError as error:
        raise CommandError(
            f"the contact sheet cannot be written to {path}: {error.strerror}",
            exit_code=ExitCode.USAGE,
        ) from None
