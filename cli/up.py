"""`facesearch up`: the whole service on this machine."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cli.help import examples
from cli.options import DEFAULT_DATA_DIR, DataDir, ModelsDir, Pack, Workers

EXAMPLES = examples(
    "facesearch up",
    "facesearch up --data-dir /srv/faces --host 0.0.0.0 --port 8080",
    "facesearch up --models-dir ~/models --pack buffalo_s --logs",
    "facesearch up --inference-workers 1",
)


def up(
    data_dir: DataDir = DEFAULT_DATA_DIR,
    models_dir: ModelsDir = None,
    pack: Pack = None,
    host: Annotated[
        str | None, typer.Option(envvar="EDGE_HOST", help="Address to listen on [127.0.0.1].")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            envvar="EDGE_PORT",
            min=0,
            max=65535,
            help="Port to listen on; 0 takes a free one [8000].",
        ),
    ] = None,
    inference_port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            help="Offer gRPC on this port of 127.0.0.1; default: only the edge reaches inference.",
        ),
    ] = None,
    workers: Workers = "auto",
    inference_workers: Annotated[
        str,
        typer.Option(
            "--inference-workers",
            envvar="FACESEARCH_INFERENCE_WORKERS",
            metavar="N|auto",
            help="Inference processes, of which each keeps one core busy and takes some 280 MB. "
            "auto: on a CPU one a core and at most 8.",
        ),
    ] = "auto",
    logs: Annotated[
        bool, typer.Option("--logs", help="Show every log line; default: warnings and errors.")
    ] = False,
) -> None:
    """Start inference and the edge on this machine, and stop both on Ctrl-C.

    The first start makes an API key and prints it, this once. If one of the two ends, the other is
    stopped, and the exit code is that of the one that failed; of several inference processes, one
    that ends is started again.
    """
    from cli.running.foreground import serve  # noqa: PLC0415  # slow to import
    from cli.running.service import ServiceOptions  # noqa: PLC0415
    from cli.running.worker_count import (  # noqa: PLC0415
        inference_worker_count,
        parse_count,
        usable_cores,
    )

    serve(
        ServiceOptions(
            data_dir=data_dir,
            models_dir=models_dir,
            pack=pack,
            host=host,
            port=port,
            inference_port=inference_port,
            workers=workers,
            inference_workers=inference_worker_count(
                parse_count(inference_workers),
                os.environ,
                has_port=inference_port is not None,
                cores=usable_cores(),
            ),
        ),
        shows_all_logs=logs,
    )
