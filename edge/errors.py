"""What a request can run into, in the caller's terms. `edge.problems` gives each its HTTP form.

EdgeError
├── InvalidParameter          invalid_parameter, with the field
├── Unauthorized              unauthorized
├── Forbidden                 forbidden
├── AmbiguousPhoto            ambiguous_photo, with the collections
├── FacesError
│   ├── NoFacesDetected       no_faces_detected
│   └── TooManyFaces          too_many_faces, with the boxes
├── LowQuality                low_quality
├── InvalidImage              invalid_image_format
├── ImageTooLarge             image_too_large
├── InferenceUnavailable      inference_unavailable
│   └── InferenceTlsFault     the same, and /readyz says why
├── Overloaded                overloaded
├── DeadlineExceeded          deadline_exceeded
├── AuditUnavailable          audit_unavailable
└── StartRefused              stops the start with one line

Errors of the stores (storage.errors) pass through as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from storage.records.model import Box


class EdgeError(Exception):
    """Base of everything this package raises on purpose. The message is for the caller."""


class InvalidParameter(EdgeError):
    """A parameter is missing, of the wrong type or out of range."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class Unauthorized(EdgeError):
    """No key came with the request, or nobody's."""


class Forbidden(EdgeError):
    """The key may not do this."""


class AmbiguousPhoto(EdgeError):
    """The same photo_id is in several collections and none was named."""

    def __init__(self, photo_id: str, collections: Sequence[str]) -> None:
        super().__init__("the photo is in several collections; name one with collection_id")
        self.photo_id = photo_id
        self.collections = tuple(collections)


class FacesError(EdgeError):
    """The photo does not show what the request needs."""

    def __init__(self, message: str, boxes: Sequence[Box] = ()) -> None:
        super().__init__(message)
        self.boxes = tuple(boxes)


class NoFacesDetected(FacesError):
    """No face that counts."""


class TooManyFaces(FacesError):
    """More than one face that counts."""


class LowQuality(EdgeError):
    """The face is too poor to be indexed, as the settings have it."""


class InvalidImage(EdgeError):
    """Not a JPEG, PNG or WebP, or damaged."""


class ImageTooLarge(EdgeError):
    """More bytes or more pixels than the setting allows."""


class InferenceUnavailable(EdgeError):
    """Inference is away, restarting or does not answer."""

    retry_after_seconds = 1.0


class InferenceTlsFault(InferenceUnavailable):
    """Edge and inference do not come together over TLS.

    The message names the target and is for the log; `why` names settings only and is for anybody.
    """

    def __init__(self, target: str, why: str) -> None:
        super().__init__(f"{target}: {why}")
        self.why = why


class Overloaded(EdgeError):
    """The queue is full."""

    def __init__(self, message: str, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DeadlineExceeded(EdgeError):
    """The request's own deadline passed."""


class AuditUnavailable(EdgeError):
    """The audit log cannot be written, so nothing may be written or removed."""


class StartRefused(EdgeError):
    """The process cannot serve like this. The message is one line that says what to do."""
