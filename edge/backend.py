"""What stands behind the routes: nothing yet, everything, or on its way out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge.audited import AuditedAddFace, AuditedDetect, AuditedEnrol, AuditedRemove
from edge.keys import KeyRing
from edge.use_cases.add_face import AddFace
from edge.use_cases.detect import DetectFaces
from edge.use_cases.enrol import EnrolPhoto
from edge.use_cases.model import FaceAnalyzer
from edge.use_cases.read import ReadPhotos
from edge.use_cases.remove import RemovePhotos
from edge.use_cases.search import SearchPhotos
from edge.use_cases.spaces import Spaces
from edge.use_cases.sweep import Sweep
from edge.use_cases.two_packs import Connect, TwoPacks
from storage.errors import RecordsUnavailable
from storage.open import Stores


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the routes call."""

    faces: FaceAnalyzer
    packs: TwoPacks
    connect: Connect
    stores: Stores
    sweep: Sweep
    spaces: Spaces
    keys: KeyRing
    search: SearchPhotos
    enrol: EnrolPhoto | AuditedEnrol
    detect: DetectFaces | AuditedDetect
    add_face: AddFace | AuditedAddFace
    remove: RemovePhotos | AuditedRemove
    read: ReadPhotos


class Phase(StrEnum):
    """Where the process is in its life."""

    STARTING = "starting"  # the stores are being opened
    SERVING = "serving"
    DRAINING = "draining"  # finishes what is in flight, takes nothing new


class Backend:
    """The one thing of the app that changes: it is served before its stores are open."""

    def __init__(self, services: Services | None = None) -> None:
        self._services = services
        self._is_draining = False
        self.progress: str | None = None
        """How far the opening of the stores is, in words; None: nothing to tell."""

    @property
    def phase(self) -> Phase:
        if self._is_draining:
            return Phase.DRAINING
        return Phase.STARTING if self._services is None else Phase.SERVING

    @property
    def services(self) -> Services:
        """Raises RecordsUnavailable while the stores are being opened."""
        if self._services is None:
            raise RecordsUnavailable("the stores are being opened")
        return self._services

    def open(self, services: Services) -> None:
        """From now on requests are answered."""
        self._services = services

    def drain(self) -> None:
        """From now on /readyz says no."""
        self._is_draining = True
