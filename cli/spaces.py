"""`facesearch spaces`: the embedding spaces of a base, one for each pack it was indexed with."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from cli.console import out, print_json, table
from cli.help import examples
from cli.options import DEFAULT_DATA_DIR, AsJson, DataDir
from cli.run import run

app = typer.Typer(no_args_is_help=True, help="Embedding spaces: list, drop.")

_MEANINGS = {"active": "searched", "filling": "being filled", "retired": "kept, not searched"}


@app.command("list", epilog=examples("facesearch spaces list"))
def list_(data_dir: DataDir = DEFAULT_DATA_DIR, as_json: AsJson = False) -> None:
    """List the spaces: which is searched, which are kept."""
    from cli.base.spaces import stored_spaces  # noqa: PLC0415  # slow to import

    spaces = run(stored_spaces(data_dir))
    if as_json:
        print_json(
            [
                {
                    "space": space.id,
                    "pack": space.pack,
                    "version": space.version,
                    "dim": space.dim,
                    "state": space.state.value,
                    "inference": space.target,
                }
                for space in spaces
            ]
        )
        return
    rows = table("space", "pack", "version", "dim", "state")
    for space in spaces:
        meaning = _MEANINGS[space.state.value]
        rows.add_row(space.id, escape(space.pack), escape(space.version), str(space.dim), meaning)
    out().print(rows)


@app.command("drop", epilog=examples("facesearch spaces drop 3f2a81c04d9e_512"))
def drop(
    space: Annotated[str, typer.Argument(help="Its id, as `facesearch spaces list` shows it.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Remove a space that is not searched, with all its vectors.

    After a change of pack this ends the change: there is no way back but to re-index.
    """
    from cli.base.spaces import drop_space  # noqa: PLC0415  # slow to import

    dropped = run(drop_space(data_dir, space))
    if as_json:
        print_json(dict(dropped))
        return
    out().print(
        f"[green]✓ dropped[/] {escape(str(dropped.get('space')))}, "
        f"pack {escape(str(dropped.get('pack')))}: {dropped.get('vectors'):,} vectors"
    )
