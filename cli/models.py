"""`facesearch models`: the packs on this machine, and fetching one."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.help import examples
from cli.options import AsJson, ModelsDir
from cli.run import run

app = typer.Typer(no_args_is_help=True, help="Packs: list, look into, verify, fetch.")

Name = Annotated[
    str, typer.Argument(help="Name of a pack or path of its folder; auto: the default.")
]


@app.command(
    "list",
    epilog=examples("facesearch models list", "facesearch models list --models-dir ~/models"),
)
def list_models(models_dir: ModelsDir = None, as_json: AsJson = False) -> None:
    """List the packs that are found, best known first, and say which one is the default.

    One that is damaged is listed with why.
    """
    from cli.packs.show import show_packs  # noqa: PLC0415  # slow to import

    show_packs(models_dir, as_json=as_json)


@app.command(
    epilog=examples("facesearch models info starter", "facesearch models info auto --json")
)
def info(name: Name = "auto", models_dir: ModelsDir = None, as_json: AsJson = False) -> None:
    """Show all about a pack: files and digests, networks, embedding space, thresholds, licence."""
    from cli.packs.show import show_pack  # noqa: PLC0415  # slow to import

    show_pack(name, models_dir, as_json=as_json)


@app.command(epilog=examples("facesearch models verify buffalo_l"))
def verify(name: Name = "auto", models_dir: ModelsDir = None, as_json: AsJson = False) -> None:
    """Check a pack: the digests of its files, what the networks are, and that they run here.

    Exit code 2 if it is not what it should be, with the reason.
    """
    from cli.packs.verify import verify_pack  # noqa: PLC0415  # slow to import

    run(verify_pack(name, models_dir, as_json=as_json))


@app.command(
    epilog=examples("facesearch models pull buffalo_l", "facesearch models pull buffalo_s")
)
def pull(
    name: Annotated[
        str, typer.Argument(help="antelopev2, buffalo_l, buffalo_m, buffalo_s or buffalo_sc.")
    ],
    models_dir: ModelsDir = None,
) -> None:
    """Fetch one of InsightFace's packs, check it, and say its licence."""
    from cli.packs.fetch import fetch_pack  # noqa: PLC0415  # slow to import

    fetch_pack(name, models_dir)
