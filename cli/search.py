"""`facesearch search`: photos that show the person on a selfie."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.errors import UsageError
from cli.help import examples
from cli.options import DEFAULT_DATA_DIR, AsJson, DataDir, Key, ModelsDir, Pack, Url
from cli.run import run

EXAMPLES = examples(
    "facesearch search me.jpg --collection holiday",
    "facesearch search me.jpg --top-k 50 --threshold 0.4 --sheet found.png",
    "facesearch search me.jpg -c wedding -c holiday --json | jq '.results[].photo_id'",
)


def search(
    selfie: Annotated[Path, typer.Argument(help="A photo that shows one person.")],
    collection: Annotated[
        list[str] | None,
        typer.Option(
            "--collection", "-c", help="Where to search; repeatable; default: everywhere."
        ),
    ] = None,
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", min=1, max=1000, help="How many photos at most.")
    ] = 10,
    threshold: Annotated[
        str | None,
        typer.Option(
            help="Least similarity, -1 to 1, or `recommended`: the pack's own figure; "
            "default: the service's."
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(help="Write a contact sheet (PNG): the selfie and the photos, faces framed."),
    ] = None,
    url: Url = None,
    key: Key = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    models_dir: ModelsDir = None,
    pack: Pack = None,
    as_json: AsJson = False,
) -> None:
    """Find the photos that show the person on a selfie, most similar first.

    Without --url it uses the service that runs on the data folder, or starts one for as long as it
    takes.
    """
    from cli.access import ServiceChoice  # noqa: PLC0415  # slow to import
    from cli.searching import SearchOrder, search_photos  # noqa: PLC0415

    if threshold is not None and threshold != "recommended" and not _is_similarity(threshold):
        raise UsageError(f"{threshold!r} is no threshold", "give a number from -1 to 1")
    try:
        image = selfie.read_bytes()
    except OSError as error:
        raise UsageError(f"{selfie} cannot be read: {error.strerror}") from None
    order = SearchOrder(selfie.name, image, tuple(collection or ()), top_k, threshold, sheet)
    choice = ServiceChoice(url, key, data_dir, models_dir, pack)
    run(search_photos(order, choice, as_json=as_json))


def _is_similarity(text: str) -> bool:
    try:
        return -1 <= float(text) <= 1
    except ValueError:
        return False
