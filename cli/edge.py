"""`facesearch edge`: the HTTP edge, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.help import examples
from cli.options import Workers
from cli.running.become import become

EXAMPLES = examples(
    "facesearch edge --inference 127.0.0.1:50051 --data-dir ./data",
    "facesearch edge --inference gpu-1:50051,gpu-2:50051 --host 0.0.0.0",
    "STORAGE_RECORDS_URL=postgresql://... STORAGE_VECTORS_URL=http://milvus:19530 facesearch edge "
    "--workers 4",
)


def edge(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    inference: Annotated[
        str | None,
        typer.Option(help="Inference servers, host:port or unix:/path, comma separated."),
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder that holds the base.")] = None,
    workers: Workers = None,
) -> None:
    """Run the HTTP edge (REST): keys, limits, collections, search.

    Every setting is an environment variable that begins with EDGE_ or STORAGE_, and API_KEY; the
    flags here go over them. Ends on SIGTERM and Ctrl-C once the requests in flight are answered.
    """
    become(
        "edge",
        {
            "EDGE_HOST": host,
            "EDGE_PORT": port,
            "EDGE_INFERENCE_TARGETS": inference,
            "EDGE_WORKERS": workers,
            "STORAGE_DATA_DIR": data_dir,
        },
    )
