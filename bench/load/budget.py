"""Where the time of one search goes: the budget, and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.kit.result import Cell, Table
from bench.load.scrape import Scrape

_EDGE = "facesearch_edge"
_INFERENCE = "facesearch_inference"
_BUDGET_MS: dict[str, float] = {
    "HTTP, multipart, key, limits, answer": 1.5,
    "gRPC hop": 1.0,
    "decode": 3.0,
    "detect": 3.6,
    "align": 0.3,
    "embed one face": 1.2,
    "inference: between the stages": 0.0,
    "vectors and records": 2.0,
}
"""On one core, with a pack as small as mbf128 on OpenVINO in bf16."""


@dataclass(frozen=True, slots=True)
class StageTimes:
    """Mean milliseconds of each stage of a search, waiting included."""

    milliseconds: dict[str, float]

    @property
    def total(self) -> float:
        """From the head of the request to the end of its answer."""
        return sum(self.milliseconds.values())

    @classmethod
    def of(cls, observed: Scrape) -> StageTimes:
        """observed: of both processes, over a time in which they did nothing but searches."""

        def edge(stage: str) -> float:
            return observed.mean(f"{_EDGE}_stage_seconds", route="/search/", stage=stage) * 1000

        def inference(stage: str) -> float:
            return observed.mean(f"{_INFERENCE}_stage_seconds", stage=stage) * 1000

        request = observed.mean(f"{_EDGE}_request_seconds", route="/search/") * 1000
        call = observed.mean(f"{_INFERENCE}_call_seconds", rpc="Analyze") * 1000
        stages = {
            "decode": inference("decode"),
            "detect": inference("detect"),
            "align": inference("align"),
            "embed one face": inference("embed"),
        }
        asked, vectors = edge("inference"), edge("vectors")
        return cls(
            {
                "HTTP, multipart, key, limits, answer": request - asked - vectors,
                "gRPC hop": asked - call,
                **stages,
                "inference: between the stages": call - sum(stages.values()),
                "vectors and records": vectors,
            }
        )


def budget_table(measured: Sequence[tuple[str, StageTimes]]) -> Table:
    """The budget beside what was measured at some rates, in milliseconds."""
    rows: list[list[Cell]] = [
        [stage, budget or "", *(round(times.milliseconds[stage], 2) for _, times in measured)]
        for stage, budget in _BUDGET_MS.items()
    ]
    sums = [round(times.total, 2) for _, times in measured]
    rows.append(["sum", round(sum(_BUDGET_MS.values()), 2), *sums])
    columns = ["stage", "budget ms", *(f"{name}, ms" for name, _ in measured)]
    return Table("Where the time of one search goes (means, waiting included)", columns, rows)
