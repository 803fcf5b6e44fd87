"""The teacher: a pack that labels faces and embeds crops, on the runtime the server would take."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from inference.models.pack import load_pack
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import Detections, FloatArray, Photo, Pixels
from inference.pipeline.letterbox import letterbox
from inference.pipeline.looks import Look, LookPolicy
from inference.runtimes import open_sessions
from inference.settings import load_settings

EMBED_AT_ONCE = 16


class Teacher:
    """Both networks of a pack. Owned by one thread at a time."""

    def __init__(self, pack_dir: Path) -> None:
        """Raises PackError and StartError, as the server does."""
        cv2.setNumThreads(1)
        pack = load_pack(pack_dir)
        sessions = open_sessions(pack, load_settings())
        self.pack = pack
        self._detector = Detector.load(pack.detector_graph, sessions.detector, may_batch=False)
        self._recogniser = Recogniser.load(pack.recogniser_graph, sessions.recogniser)

    @property
    def dim(self) -> int:
        """Numbers of an embedding."""
        return self.pack.dim

    def faces(self, pixels: Pixels, looks: tuple[int, ...], min_score: float) -> Detections:
        """Faces of an image, seen at several sizes and merged, in its pixels."""
        photo = Photo(pixels, width=pixels.shape[1], height=pixels.shape[0])
        inputs = [letterbox(photo, size) for size in looks]
        found = [self._detector.detect([one], min_score)[0] for one in inputs]
        policy = LookPolicy(tuple(Look(size) for size in looks))
        return policy.merge(found, [one.scale for one in inputs])

    def embed(self, crops: Pixels) -> FloatArray:
        """Unit embeddings (n, dim) of crops (n, 112, 112, 3)."""
        parts = [
            self._recogniser.embed(list(crops[start : start + EMBED_AT_ONCE]), bucket=EMBED_AT_ONCE)
            for start in range(0, len(crops), EMBED_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)
