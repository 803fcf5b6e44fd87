"""`facesearch keys`: API keys of the base. A key is shown once; only its SHA-256 is kept."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from cli.console import note, out, print_json, table
from cli.errors import UsageError
from cli.help import examples
from cli.options import DEFAULT_DATA_DIR, AsJson, DataDir
from cli.run import run

app = typer.Typer(no_args_is_help=True, help="API keys: make, list, revoke.")

SCOPES = ("search", "enrol", "admin")


@app.command(
    epilog=examples(
        "facesearch keys create laptop",
        "facesearch keys create guests --scopes search --collections wedding",
    )
)
def create(
    name: Annotated[str, typer.Argument(help="What to call the key, such as who it is for.")],
    scopes: Annotated[
        str, typer.Option(help="What it may do: search, enrol, admin; comma separated.")
    ] = "search,enrol,admin",
    collections: Annotated[
        str, typer.Option(help="The only collections it is for, comma separated; default: all.")
    ] = "",
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this once."""
    from cli.base.keys import create_key  # noqa: PLC0415  # slow to import

    if not name.strip():
        raise UsageError("the name of a key must not be empty")
    chosen = _listed(scopes)
    if not chosen or not chosen <= set(SCOPES):
        raise UsageError(f"{scopes!r} are no scopes", f"name some of: {', '.join(SCOPES)}")
    within = _listed(collections) or None
    key = run(create_key(data_dir, name, scopes=chosen, collections=within))
    if as_json:
        print_json(
            {
                "name": name,
                "key": key,
                "scopes": sorted(chosen),
                "collections": None if within is None else sorted(within),
            }
        )
        return
    note(f"The key {name!r}, shown only now (a running service takes it within seconds):")
    print(key)


@app.command("list", epilog=examples("facesearch keys list", "facesearch keys list --json"))
def list_keys(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """List the keys, revoked ones included."""
    from cli.base.keys import stored_keys  # noqa: PLC0415  # slow to import

    stored = run(stored_keys(data_dir))
    if as_json:
        print_json(
            [
                {
                    "name": key.name,
                    "scopes": sorted(key.scopes),
                    "collections": None if key.collections is None else sorted(key.collections),
                    "created_at": key.created_at.isoformat(),
                    "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
                }
                for key in stored
            ]
        )
        return
    if not stored:
        note("There are no keys. `facesearch keys create NAME` makes one.")
        return
    rows = table("name", "scopes", "collections", "created (UTC)", "revoked (UTC)")
    for key in stored:
        rows.add_row(
            escape(key.name),
            ", ".join(sorted(key.scopes)),
            "all" if key.collections is None else escape(", ".join(sorted(key.collections))),
            f"{key.created_at:%Y-%m-%d %H:%M}",
            f"{key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "",
            style="dim" if key.revoked_at else "",
        )
    out().print(rows)


@app.command(epilog=examples("facesearch keys revoke guests"))
def revoke(
    name: Annotated[str, typer.Argument(help="The name of the key.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Revoke a key: it opens nothing any more."""
    from cli.base.keys import revoke_key  # noqa: PLC0415  # slow to import

    if not run(revoke_key(data_dir, name)):
        raise UsageError(f"there is no key {name!r}", "see `facesearch keys list`")
    note(f"The key {name!r} is revoked (a running service knows within seconds).")


def _listed(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())
