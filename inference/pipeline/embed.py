"""Embeddings of aligned crops: one session run for a batch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from inference.errors import ModelFault, PackError
from inference.models.graphs import RecogniserGraph
from inference.pipeline.blob import Blobs
from inference.pipeline.faces import CROP_SIZE, FloatArray, Pixels
from inference.sessions.session import Session, SessionFactory

CHECK_BATCH = 3
MIN_NORM = 1e-6
"""An embedding shorter than this has no direction."""


class Recogniser:
    """A face recogniser on one session. Owned by one thread at a time, as its session is."""

    def __init__(self, graph: RecogniserGraph, session: Session, *, batched: bool = False) -> None:
        """A recogniser; `Recogniser.load` finds out whether it may run `batched`."""
        self.graph = graph
        self.session = session
        self.batched = batched
        """Whether several crops run in one pass."""
        self._blobs = Blobs(graph.normalisation)

    @classmethod
    def load(
        cls, graph: RecogniserGraph, make_session: SessionFactory, *, may_batch: bool = True
    ) -> Recogniser:
        """A recogniser that runs batches if a random batch gives what single runs give.

        may_batch: whether batches are of use; if not, crops run singly whatever the network can.
        Raises PackError if the network does not run or gives no embeddings, and DeviceError.
        """
        noise = np.random.default_rng(seed=1).integers(
            0, 256, (CHECK_BATCH, CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8
        )
        try:
            single = cls(graph, make_session())
            expected = single.embed(list(noise))
        except (ModelFault, PackError) as error:
            raise PackError(f"{graph.file.name}: {error}") from error
        if not may_batch:
            return single
        batched = cls(graph, single.session, batched=True)
        try:
            found = batched.embed(list(noise))
        except ModelFault:
            # The export holds on to one face; a session that raised is not used again.
            return cls(graph, make_session())
        return batched if np.allclose(found, expected, atol=1e-3) else single

    def embed(self, crops: Sequence[Pixels], *, bucket: int | None = None) -> FloatArray:
        """Embeddings (n, dim) of unit length.

        crops: (112, 112, 3) RGB each. bucket: pad the batch to so many crops, so that the runtime
        sees few shapes. Raises ModelFault if the session failed or gave no direction; the session
        must then be thrown away.
        """
        if not crops:
            return np.empty((0, self.graph.dim), dtype=np.float32)
        if self.batched:
            rows = self._run(crops, bucket)
        else:
            singles = [self._run([crop]) for crop in crops]
            rows = singles[0] if len(singles) == 1 else np.concatenate(singles)
        norms = np.sqrt(np.einsum("nd,nd->n", rows, rows))
        if not all(MIN_NORM <= norm < math.inf for norm in norms.tolist()):  # NaN is neither
            raise ModelFault("the recogniser gave an embedding without a direction")
        return np.asarray(rows / norms[:, None], dtype=np.float32)

    def _run(self, crops: Sequence[Pixels], bucket: int | None = None) -> FloatArray:
        batch = max(len(crops), bucket or 0)
        blob = self._blobs.fill(crops, batch)
        rows = self.session.run({self.graph.input_name: blob})[0]
        if rows.shape != (batch, self.graph.dim):
            raise ModelFault(f"the recogniser gave {rows.shape} for {batch} faces")
        return rows[: len(crops)]
