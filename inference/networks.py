"""The runners behind the batchers: one network on one device each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inference.errors import ModelFault
from inference.models.graphs import DetectorGraph, RecogniserGraph
from inference.pipeline.analyze import DetectorWork
from inference.pipeline.detect import Detector
from inference.pipeline.embed import Recogniser
from inference.pipeline.faces import Detections, FloatArray, Pixels
from inference.sessions.session import Session, SessionFactory


@dataclass(frozen=True, slots=True)
class Running:
    """How a network runs, as its session tells."""

    runtime: str
    providers: tuple[str, ...]
    device: str
    batched: bool
    """Whether several items run in one pass."""

    @classmethod
    def of(cls, session: Session, *, batched: bool) -> Running:
        return cls(session.runtime, tuple(session.providers), session.device, batched)


class DetectorRunner:
    """Detects faces on a batch of letterboxed images of one size."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def __call__(self, works: Sequence[DetectorWork], padded_size: int) -> Sequence[Detections]:
        is_doubted = works[0].is_doubted  # of one shape, and so alike
        detector = self._detector.exact if is_doubted else self._detector
        if detector is None:
            raise ModelFault("there is no detector in float32 to ask again")
        return detector.detect(
            [work.image for work in works],
            [work.min_score for work in works],
            bucket=padded_size,
        )


class RecogniserRunner:
    """Embeds a batch of aligned crops."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser = recogniser

    def __call__(self, crops: Sequence[Pixels], padded_size: int) -> Sequence[FloatArray]:
        return list(self._recogniser.embed(crops, bucket=padded_size))


class DetectorFactory:
    """Makes detector runners; the batcher asks again after a fault."""

    def __init__(
        self,
        graph: DetectorGraph,
        make_session: SessionFactory,
        *,
        may_batch: bool = True,
        make_exact: SessionFactory | None = None,
    ) -> None:
        """may_batch: whether several items in one run are of use. make_exact: as Detector.load."""
        self._graph = graph
        self._make_session = make_session
        self._may_batch = may_batch
        self._make_exact = make_exact
        self.running: Running | None = None
        """How the last one made runs; None: none was made yet."""

    def __call__(self) -> DetectorRunner:
        return DetectorRunner(self.load())

    @property
    def has_exact(self) -> bool:
        """Whether work may be `is_doubted`."""
        return self._make_exact is not None

    def load(self) -> Detector:
        """The detector itself. Raises PackError and DeviceError."""
        detector = Detector.load(
            self._graph,
            self._make_session,
            may_batch=self._may_batch,
            make_exact=self._make_exact,
        )
        self.running = Running.of(detector.session, batched=detector.batched)
        return detector


class RecogniserFactory:
    """Makes recogniser runners; the batcher asks again after a fault."""

    def __init__(
        self, graph: RecogniserGraph, make_session: SessionFactory, *, may_batch: bool = True
    ) -> None:
        """may_batch: whether several items in one run are of use."""
        self._graph = graph
        self._make_session = make_session
        self._may_batch = may_batch
        self.running: Running | None = None
        """How the last one made runs; None: none was made yet."""

    def __call__(self) -> RecogniserRunner:
        return RecogniserRunner(self.load())

    def load(self) -> Recogniser:
        """The recogniser itself. Raises PackError and DeviceError."""
        recogniser = Recogniser.load(self._graph, self._make_session, may_batch=self._may_batch)
        self.running = Running.of(recogniser.session, batched=recogniser.batched)
        return recogniser
