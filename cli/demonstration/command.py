"""The demo from an empty folder to the verdict."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from cli.console import err, out
from cli.demonstration.photos import bundled_photos, own_photos
from cli.demonstration.report import print_searched, print_taken, sheet_of
from cli.demonstration.run import Searched, Taken, enrol, search
from cli.rest.client import EdgeClient
from cli.running.service import ServiceOptions, start_service
from inference.errors import PackError
from inference.models.find import AUTO, embedded_starter, find_pack
from inference.models.pull import pull

_FALLBACK_PACK = "buffalo_s"


async def show_demo(
    folder: Path | None, models_dir: Path | None, pack: str | None, sheet: Path
) -> bool:
    """Whether everything was found as it should be."""
    photos = own_photos(folder) if folder is not None else bundled_photos()
    found_pack = await asyncio.to_thread(_pack, models_dir, pack)
    console = out()
    key = secrets.token_urlsafe(32)
    with tempfile.TemporaryDirectory(prefix="facesearch-demo-") as data:
        options = ServiceOptions(
            Path(data) / "data", None, str(found_pack), host="127.0.0.1", port=0, api_key=key
        )
        with err().status("starting the service ...") as status:
            async with (
                start_service(
                    options, on_line=lambda _name, _line: None, on_step=lambda _step: None
                ) as service,
                EdgeClient(service.url, key) as client,
            ):
                console.print(f"service at {service.url}")
                console.print(f"pack {escape(service.pack)}", soft_wrap=True)
                status.update(f"enrolling {len(photos)} photos ...")
                taken = await service.before_death(enrol(client, photos))
                print_taken(console, taken)
                status.update("searching ...")
                searched = await service.before_death(search(client, taken))
                print_searched(console, searched)
                status.update("stopping ...")
    await asyncio.to_thread(_write, sheet, searched, taken)
    hits = sum(one.is_hit for one in searched)
    unexpected = sum(not one.is_as_expected for one in taken)
    console.print(f"{hits} of {len(searched)} selfies found the photo they come from first.")
    console.print(f"The picture of the results: {sheet}")
    is_own = folder is not None
    return is_own or (hits == len(searched) and unexpected == 0)


def _write(sheet: Path, searched: Sequence[Searched], taken: Sequence[Taken]) -> None:
    sheet.parent.mkdir(parents=True, exist_ok=True)
    sheet.write_bytes(sheet_of(searched, taken))


def _pack(models_dir: Path | None, name: str | None) -> Path:
    """The pack to show; fetched if there is none. Raises PackError that says what to do."""
    try:
        return find_pack(name or AUTO, models_dir)
    except PackError:
        if name is not None or embedded_starter() is not None:
            raise
        where = "" if models_dir is None else f"in {models_dir} or "
        err().print(
            f"no pack {where}in ~/.insightface/models; trying to fetch {_FALLBACK_PACK} ...",
            soft_wrap=True,
            markup=False,
        )
        return pull(_FALLBACK_PACK, models_dir)
