"""What one request asks of whom."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

OK, FULL, LATE = 200, 429, 504
"""How a request ends, as HTTP says it."""


@dataclass(frozen=True, slots=True)
class Photo:
    """CPU seconds of the stages of one photo."""

    decode: float
    detect: float
    align: float
    embed: float

    @property
    def total(self) -> float:
        return self.decode + self.detect + self.align + self.embed

    def times(self, *, decode: float, detect: float, align: float, embed: float) -> Self:
        """Each stage so many times as long."""
        return replace(
            self,
            decode=self.decode * decode,
            detect=self.detect * detect,
            align=self.align * align,
            embed=self.embed * embed,
        )


@dataclass(frozen=True, slots=True)
class Part:
    """What a request takes of one thread besides its photo."""

    seconds: float
    """Of CPU time."""
    wakes: int = 1
    """In how many pieces: it waits for a core before each."""

    def times(self, factor: float) -> Self:
        """So many times as long."""
        return replace(self, seconds=self.seconds * factor)


@dataclass(frozen=True, slots=True)
class Work:
    """One request."""

    photo: Photo
    send: Part
    """Of the client, where it shares the machine."""
    receive: Part
    edge_before: Part
    """Of the edge's event loop until inference has been asked."""
    edge_after: Part
    """From inference's answer on: vectors, records, the answer."""
    loop_before: Part
    """Of the event loop of inference until a thread has the photo."""
    loop_after: Part
    edge_refusal: Part
    """Of the edge for a request that it turns away."""
    loop_refusal: Part
    """Of inference, likewise."""
    pauses: float = 0.0
    """Seconds that nobody's CPU is used: wake-ups and the network, at rest."""

    def times(self, factor: float) -> Self:
        """All CPU time of an answer so many times as long; a refusal costs what it did."""
        return replace(
            self,
            photo=self.photo.times(decode=factor, detect=factor, align=factor, embed=factor),
            send=self.send.times(factor),
            receive=self.receive.times(factor),
            edge_before=self.edge_before.times(factor),
            edge_after=self.edge_after.times(factor),
            loop_before=self.loop_before.times(factor),
            loop_after=self.loop_after.times(factor),
        )
