"""What becomes of a service that is offered twice what it takes (P4)."""

from __future__ import annotations

from dataclasses import dataclass

from bench.kit.figures import Figure
from bench.load.observed import NO_ANSWER, OK
from bench.load.runs import Run
from bench.load.scrape import Scrape

REFUSALS = (429, 503, 504)
_MIN_GOODPUT = 0.90
_MAX_REFUSAL_MS = 50.0


@dataclass(frozen=True, slots=True)
class Overload:
    """A run far beyond the rate that holds."""

    run: Run
    held_rate: float
    """Requests a second that hold."""
    criterion: str
    """… by which percentiles: the reference's, or where no rate meets those, wider ones."""
    edge: Scrape
    """What the edge counted during the run."""

    @property
    def goodput(self) -> float:
        """Answers 200 a second, until the last answer came."""
        observed = self.run.observed
        return observed.share(OK) * observed.count / observed.seconds

    @property
    def refusal_ms(self) -> float | None:
        """A bound on the 99th percentile of refusals inside the edge; None: nothing was refused."""
        bounds = [
            self.edge.quantile_bound(
                0.99, "facesearch_edge_request_seconds", route="/search/", status=str(status)
            )
            for status in REFUSALS
        ]
        known = [bound * 1000 for bound in bounds if bound is not None]
        return max(known) if known else None

    def figures(self) -> list[Figure]:
        """Of P4."""
        deadline = self.run.plan.timeout_seconds
        found = [
            Figure(
                "P4",
                f"goodput at {self.run.plan.rate:.0f}/s, of the {self.held_rate:.0f}/s with "
                f"{self.criterion}",
                self.goodput / self.held_rate,
                "ratio",
                target=_MIN_GOODPUT,
                is_guarded=True,
            ),
            Figure(
                "P4",
                "longest wait, refusals included (target: the deadline)",
                self.run.observed.latencies().longest,
                "s",
                target=deadline,
                better="lower",
            ),
            Figure(
                "P4",
                "connections lost without an answer",
                self.run.observed.share(NO_ANSWER),
                "of all",
                target=0.0,
                better="lower",
            ),
        ]
        if self.refusal_ms is not None:
            found.append(
                Figure(
                    "P4",
                    "p99 of refusals inside the edge, at most",
                    self.refusal_ms,
                    "ms",
                    target=_MAX_REFUSAL_MS,
                    better="lower",
                )
            )
        return found
