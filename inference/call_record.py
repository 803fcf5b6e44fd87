"""What is known of one call when it ends: one line in the log."""

from __future__ import annotations

import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from inference.calls import Call
from inference.pipeline.faces import Analysis

REQUEST_ID_HEADER = "x-request-id"
VISIBLE_ASCII = re.compile(r"[!-~]{1,128}")


@dataclass(slots=True)
class CallRecord:
    """One call while it is served. Never holds pixels or vectors."""

    rpc: str
    request_id: str
    call: Call
    started_at: float = field(default_factory=time.perf_counter)
    items: int = 0
    faces: int = 0
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """By stage, of all items together."""
    errors: Counter[str] = field(default_factory=Counter)
    """Items that failed, by reason."""

    def analysed(self, analysis: Analysis) -> None:
        """Add an image that went through all stages."""
        self.faces += len(analysis.faces)
        self.seconds["decode"] += analysis.seconds.decode
        self.seconds["detect"] += analysis.seconds.detect
        self.seconds["align"] += analysis.seconds.align
        self.seconds["embed"] += analysis.seconds.embed

    @property
    def elapsed_seconds(self) -> float:
        """Since the call began."""
        return time.perf_counter() - self.started_at

    def end_trace(self, code: str) -> None:
        """The call is over, with this gRPC status."""
        trace = self.call.trace
        trace.note("facesearch.items", self.items)
        trace.note("facesearch.faces", self.faces)
        if self.errors:
            trace.note("facesearch.item_errors", " ".join(sorted(self.errors)))
        trace.end(code)

    def fields(self) -> dict[str, object]:
        """For the log."""
        trace_id = self.call.trace.trace_id
        return {
            "rpc": self.rpc,
            "request_id": self.request_id,
            **({"trace_id": trace_id} if trace_id else {}),
            "items": self.items,
            "faces": self.faces,
            "total_ms": _milliseconds(self.elapsed_seconds),
            "stages_ms": {stage: _milliseconds(s) for stage, s in self.seconds.items()},
            "item_errors": dict(self.errors),
        }


def request_id(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The caller's own id, if it is 1 to 128 visible ASCII characters; otherwise a new one."""
    for key, value in metadata:
        if key == REQUEST_ID_HEADER and isinstance(value, str) and VISIBLE_ASCII.fullmatch(value):
            return value
    # No secret, and the system's own source would let go of the interpreter's lock meanwhile.
    return f"{random.getrandbits(128):032x}"


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 2)
