"""The other side: a FastAPI server over `insightface.app.FaceAnalysis`, written with care.

    python -m bench.baseline.server --pack DIR [--det-size 320] [--threads 1]

A synchronous endpoint, so that FastAPI runs it in its thread pool and the event loop stays free;
bytes decoded by OpenCV, as insightface's own examples do; one model for all threads, as onnxruntime
allows. Nothing here is of facesearch.
"""

from __future__ import annotations

import argparse
import json
import socket
from typing import Annotated

import cv2
import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, File, HTTPException, UploadFile
from insightface.app import FaceAnalysis
from pydantic import BaseModel


class FaceFound(BaseModel):
    """One face of a photo."""

    box: list[float]
    """Left, top, right, bottom, in pixels."""
    score: float
    embedding: list[float]


def create_app(faces: FaceAnalysis) -> FastAPI:
    """The service."""
    app = FastAPI()

    # A default that is a call is what FastAPI asks for; "def": in the thread pool.
    @app.post("/faces")
    def find_faces(image: Annotated[UploadFile, File()]) -> list[FaceFound]:
        encoded = np.frombuffer(image.file.read(), np.uint8)
        pixels = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        if pixels is None:
            raise HTTPException(400, "this is no image")
        return [
            FaceFound(
                box=face.bbox.tolist(),
                score=float(face.det_score),
                embedding=face.normed_embedding.tolist(),
            )
            for face in faces.get(pixels)
        ]

    return app


def load(pack: str, det_size: int | None, threads: int | None) -> FaceAnalysis:
    """The library with a pack.

    det_size: pixels a side of its one look; None: its default, 128 and 640. threads: within a run
    of onnxruntime; None: its default, one per core.
    """
    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    faces = FaceAnalysis(name=pack, providers=["CPUExecutionProvider"], sess_options=options)
    if det_size is None:
        faces.prepare(ctx_id=-1)
    else:
        faces.prepare(ctx_id=-1, det_size=(det_size, det_size))
    return faces


def main() -> None:
    """Listen on a free port, say which, serve until SIGTERM."""
    parser = argparse.ArgumentParser(description="FastAPI over FaceAnalysis.")
    parser.add_argument("--pack", required=True)
    parser.add_argument("--det-size", type=int)
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args()
    app = create_app(load(asked.pack, asked.det_size, asked.threads))
    listening = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"event": "serving", "port": listening.getsockname()[1]}), flush=True)
    config = uvicorn.Config(app, access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
