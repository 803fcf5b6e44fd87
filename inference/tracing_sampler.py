"""Which spans are taken: those of a batch are, where those of one of its photos are."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import (
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes


def sampler(ratio: float) -> Sampler:
    """As the parent is; a trace that begins here at this ratio, or as the spans it is linked with.

    A batch begins a trace of its own. At the ratio alone most of them would miss those requests
    that were taken.
    """
    return ParentBased(root=_AsLinked(TraceIdRatioBased(ratio)))


class _AsLinked(Sampler):
    def __init__(self, unlinked: Sampler) -> None:
        self._unlinked = unlinked

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if any(link.context.trace_flags.sampled for link in links or ()):
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)
        return self._unlinked.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        return f"AsLinked{{{self._unlinked.get_description()}}}"
