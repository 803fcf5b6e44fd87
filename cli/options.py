"""Options that several commands share. A flag goes over its environment variable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        envvar="STORAGE_DATA_DIR",
        help="Folder that holds the base.",
        show_default=True,
    ),
]
ModelsDir = Annotated[
    Path | None,
    typer.Option(
        "--models-dir",
        envvar="INFERENCE_MODELS_DIR",
        help="Folder with packs, or a pack; looked in before the pack that comes with facesearch "
        "and ~/.insightface/models.",
    ),
]
Pack = Annotated[
    str | None,
    typer.Option(
        "--pack",
        envvar="INFERENCE_PACK",
        help="Name of a pack or path of its folder; default: the best known one in --models-dir, "
        "and without that the starter pack that comes with facesearch.",
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="FACESEARCH_URL",
        help="Address of a running service; default: the one that runs on the data folder, "
        "or one that is started for this command.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar=["FACESEARCH_API_KEY", "API_KEY"],
        help="API key. Better in the environment: other users see flags.",
    ),
]
Workers = Annotated[
    str | None,
    typer.Option(
        "--workers",
        envvar="EDGE_WORKERS",
        metavar="N|auto",
        help="Edge processes that share the port; more than one need a Milvus server. "
        "auto: as many as work well here.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON on stdout; everything else goes to stderr.")
]

DEFAULT_DATA_DIR = Path("data")
