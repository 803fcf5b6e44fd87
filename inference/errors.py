"""What can go wrong with a photo or a model, in the caller's terms.

InferenceError
├── ItemError                 one item cannot be done; its neighbours can
│   ├── InvalidImage          not JPEG, PNG or WebP, or damaged        INVALID_IMAGE_FORMAT
│   ├── ImageTooLarge         more bytes or pixels than the limit      IMAGE_TOO_LARGE
│   ├── InvalidRegion         a region that does not overlap the photo INVALID_REGION
│   ├── InvalidLandmarks      not five finite points                   INVALID_LANDMARKS
│   ├── InvalidCrop           an aligned crop that is not 112×112      INVALID_CROP
│   └── ModelFault            the session failed or gave NaN           (INTERNAL)
├── Dropped                   nobody waits for the work any more
│   └── DeadlinePassed        (a caller that has gone cancels its call: asyncio's own error)
├── InvalidCall               the call as a whole asks for what cannot be
├── Overloaded                the queue is full; come back later
├── Draining                  the server is stopping
├── GaveUp                    the server cannot go on and stops by itself
└── StartError                stops the start with one clear line
    ├── PackError             a pack that is missing, damaged or of the wrong kind
    └── DeviceError           the device that was asked for cannot be had
"""

from __future__ import annotations


class InferenceError(Exception):
    """Base of everything this package raises on purpose."""


class ItemError(InferenceError):
    """One item cannot be done; its neighbours can. The message is for the caller."""

    reason = "INTERNAL"


class InvalidImage(ItemError):
    """Not a JPEG, PNG or WebP, or damaged."""

    reason = "INVALID_IMAGE_FORMAT"


class ImageTooLarge(ItemError):
    """More bytes or more pixels than the limit."""

    reason = "IMAGE_TOO_LARGE"


class InvalidRegion(ItemError):
    """A region that does not overlap the photo."""

    reason = "INVALID_REGION"


class InvalidLandmarks(ItemError):
    """Not five finite points."""

    reason = "INVALID_LANDMARKS"


class InvalidCrop(ItemError):
    """An aligned crop that is not 112×112 pixels."""

    reason = "INVALID_CROP"


class ModelFault(ItemError):
    """The session failed, or its output is not finite."""


class Dropped(InferenceError):
    """Nobody waits for the work any more."""


class DeadlinePassed(Dropped):
    """The call's deadline passed before the work was done."""


class InvalidCall(InferenceError):
    """The call as a whole asks for what cannot be: too many items, an option out of range."""


class Overloaded(InferenceError):
    """The queue is full."""

    def __init__(self, message: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Draining(InferenceError):
    """The server is stopping."""


class GaveUp(InferenceError):
    """The server cannot go on and stops by itself; whoever supervises it starts another."""


class StartError(InferenceError):
    """Stops the start; the message is one line that says what to do."""


class PackError(StartError):
    """A pack that is missing, damaged or of the wrong kind."""


class DeviceError(StartError):
    """The device that was asked for cannot be had."""
