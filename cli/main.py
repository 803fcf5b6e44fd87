"""`facesearch`: the commands, and what becomes of an error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from cli import (
    backup,
    check,
    demo,
    edge,
    evaluate,
    index,
    inference,
    keys,
    models,
    reindex,
    restore,
    search,
    spaces,
    up,
)
from cli.console import print_error
from cli.errors import CommandError, ExitCode
from cli.help import examples, unwrap
from edge import __version__
from inference.errors import StartError
from storage.errors import StorageError, StoreMisconfigured

SERVICE = "Service"
PHOTOS = "Photos"
MODELS = "Models"

app = typer.Typer(
    name="facesearch",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "facesearch models pull buffalo_l",
        "facesearch up",
        "facesearch index ~/Pictures --collection holiday",
        "facesearch search me.jpg --collection holiday --sheet found.png",
    ),
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"facesearch {__version__}")
        raise typer.Exit


@app.callback()
def facesearch(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and end.",
        ),
    ] = False,
) -> None:
    """Selfie in, photos out.

    Exit codes: 0 done; 1 done, and something that is listed needs a look; 2 not understood;
    3 not possible now; 130 stopped with Ctrl-C.
    """


app.command("up", rich_help_panel=SERVICE, epilog=up.EXAMPLES)(up.up)
app.command("inference", rich_help_panel=SERVICE, epilog=inference.EXAMPLES)(inference.inference)
app.command("edge", rich_help_panel=SERVICE, epilog=edge.EXAMPLES)(edge.edge)
app.add_typer(keys.app, name="keys", rich_help_panel=SERVICE)
app.command("backup", rich_help_panel=SERVICE, epilog=backup.EXAMPLES)(backup.backup)
app.command("restore", rich_help_panel=SERVICE, epilog=restore.EXAMPLES)(restore.restore)
app.command("index", rich_help_panel=PHOTOS, epilog=index.EXAMPLES)(index.index)
app.command("search", rich_help_panel=PHOTOS, epilog=search.EXAMPLES)(search.search)
app.command("check", rich_help_panel=PHOTOS, epilog=check.EXAMPLES)(check.check)
app.command("reindex", rich_help_panel=MODELS, epilog=reindex.EXAMPLES)(reindex.reindex)
app.add_typer(spaces.app, name="spaces", rich_help_panel=MODELS)
app.command("demo", rich_help_panel=PHOTOS, epilog=demo.EXAMPLES)(demo.demo)
app.add_typer(models.app, name="models", rich_help_panel=MODELS)
app.add_typer(evaluate.app, name="eval", rich_help_panel=MODELS)

unwrap(app)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; what went wrong is one line, and one that says what to do.

    arguments: without the name of the program; None: those of the process. The exit code is
    returned, or raised as SystemExit where typer itself ends.
    """
    try:
        app(args=arguments)
    except CommandError as error:
        print_error(str(error), error.todo)
        return error.exit_code
    except (StartError, StoreMisconfigured) as error:
        print_error(str(error))
        return ExitCode.USAGE
    except StorageError as error:
        print_error(str(error))
        return ExitCode.UNAVAILABLE
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
