"""The use cases over their ports, as the settings say."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from edge.audit import AuditLog
from edge.audited import AuditedAddFace, AuditedDetect, AuditedEnrol, AuditedRemove
from edge.backend import Services
from edge.keys import KeyRing
from edge.settings import EdgeSettings
from edge.timed_faces import TimedFaces
from edge.traced_port import traced_connect, traced_faces, traced_stores
from edge.tracing import Tracing
from edge.use_cases.add_face import AddFace
from edge.use_cases.detect import DetectFaces
from edge.use_cases.enrol import EnrolPhoto
from edge.use_cases.model import FaceAnalyzer
from edge.use_cases.read import ReadPhotos
from edge.use_cases.remove import RemovePhotos
from edge.use_cases.search import SearchPhotos, SearchSettings
from edge.use_cases.second_space import SecondSpace
from edge.use_cases.spaces import Spaces
from edge.use_cases.sweep import Sweep, SweepReport, SweepSettings
from edge.use_cases.two_packs import Connect, TwoPacks
from storage.open import Stores


def lease_owner(stores: Stores) -> str | None:
    """Who this edge is to the leases; None: somebody new.

    Where the base can have one edge only, a lease that is still held is of one that died. Waiting
    for it to lapse would leave the base without its worker.
    """
    return "the only edge" if stores.are_exclusive else None


def build_services(
    settings: EdgeSettings,
    stores: Stores,
    first: FaceAnalyzer,
    connect: Connect,
    *,
    on_sweep: Callable[[SweepReport], None] = lambda _: None,
    tracing: Tracing | None = None,
) -> Services:
    """Everything the routes call.

    connect: to an inference server that the records name. on_sweep: told how each sweep of
    leftovers ended. tracing: None traces nothing.
    """
    used, reach = stores, connect
    if tracing is not None:
        used, reach = traced_stores(stores, tracing), traced_connect(connect, tracing)
        first = traced_faces(first, tracing)
    vectors, records, photos = used.vectors, used.records, used.photos
    spaces = Spaces(vectors, records)
    packs = TwoPacks(first, reach, spaces)
    faces = TimedFaces(packs)
    second = SecondSpace(packs, vectors, spaces)
    quality = settings.quality_rule
    sweep = Sweep(
        records,
        vectors,
        photos,
        SweepSettings(
            interval_seconds=settings.sweep_seconds,
            pending_seconds=2 * settings.max_timeout_seconds,
            staged_seconds=settings.staged_hours * 3600,
        ),
        owner=lease_owner(stores),
        report_to=on_sweep,
    )
    api_key = None if settings.api_key is None else settings.api_key.get_secret_value()
    return Services(
        faces=faces,
        packs=packs,
        connect=connect,
        stores=stores,
        sweep=sweep,
        spaces=spaces,
        keys=KeyRing(api_key, records),
        search=SearchPhotos(
            faces,
            vectors,
            records,
            SearchSettings(faces=settings.search_faces, look=settings.search_look),
            spaces=spaces,
        ),
        enrol=EnrolPhoto(
            faces,
            vectors,
            records,
            photos,
            quality=quality,
            sweep=sweep,
            spaces=spaces,
            second=second,
        ),
        detect=DetectFaces(faces, vectors, records, photos, sweep=sweep, spaces=spaces),
        add_face=AddFace(
            faces,
            vectors,
            records,
            photos,
            quality=quality,
            sweep=sweep,
            spaces=spaces,
            second=second,
        ),
        remove=RemovePhotos(records, sweep),
        read=ReadPhotos(records, photos),
    )


def audited(services: Services, audit: AuditLog) -> Services:
    """The same services; what writes or removes is told, and refused where it cannot be."""
    return dataclasses.replace(
        services,
        enrol=AuditedEnrol(services.enrol, audit),
        detect=AuditedDetect(services.detect, audit),
        add_face=AuditedAddFace(services.add_face, audit),
        remove=AuditedRemove(services.remove, audit),
    )
