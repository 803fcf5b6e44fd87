"""`facesearch inference`: the inference server, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.help import examples
from cli.options import ModelsDir, Pack
from cli.running.become import become

EXAMPLES = examples(
    "facesearch inference --pack buffalo_l",
    "facesearch inference --host 0.0.0.0 --port 50051 --device cuda:0",
    "INFERENCE_SESSIONS=2 facesearch inference",
)


def inference(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    unix_socket: Annotated[Path | None, typer.Option(help="Also listen on this socket.")] = None,
    models_dir: ModelsDir = None,
    pack: Pack = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda:0.")] = None,
) -> None:
    """Run the inference server (gRPC): decode, detect, align, embed.

    Every setting is an environment variable that begins with INFERENCE_; the flags here go over
    them. Ends on SIGTERM and Ctrl-C once the calls in flight are answered.
    """
    become(
        "inference",
        {
            "INFERENCE_HOST": host,
            "INFERENCE_PORT": port,
            "INFERENCE_UNIX_SOCKET": unix_socket,
            "INFERENCE_MODELS_DIR": models_dir,
            "INFERENCE_PACK": pack,
            "INFERENCE_DEVICE": device,
        },
    )
