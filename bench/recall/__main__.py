"""Which faces are found, case by case, against FaceAnalysis with its defaults on the same pack.

    python -m bench.recall --full

A face is found if a box lies on it (IoU of 0.4 or more) and its landmarks stand as the face does,
within 45°: with others its embedding is nobody's. Photos are made of the test data.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, pairwise

from bench.kit.figures import Figure
from bench.kit.result import Cell, Form, Result, Table
from bench.kit.world import World, main
from bench.recall.cases import Case, Kind, cases
from bench.recall.contenders import Outcome, of_face_analysis, of_service
from bench.recall.samples import Sample

COUNTS = {Form.SHORT: 12, Form.FULL: 48}
"""Pictures of each case, a multiple of a group."""
CLOSELY = (Kind.TINY, Kind.EMPTY)
"""Looked at with tiles too."""
FACE_ANALYSIS, SERVICE, WITH_TILES = "FaceAnalysis", "facesearch", "facesearch, INFERENCE_TILES=2"
COLUMNS = ["case", "photos", "faces", FACE_ANALYSIS, SERVICE, WITH_TILES]


def measure(form: Form, world: World) -> Result:
    every = cases(COUNTS[form])
    # Nothing is timed, so both may share the cores.
    with ThreadPoolExecutor(1) as thread:
        theirs = thread.submit(of_face_analysis, world.pack, _samples(every))
        ours = of_service(world, _samples(every))
        close = [case for case in every if case.kind in CLOSELY]
        with_tiles = of_service(world, _samples(close), INFERENCE_TILES=2)
        found = {FACE_ANALYSIS: _by_case(every, theirs.result())}
    found[SERVICE] = _by_case(every, ours)
    found[WITH_TILES] = _by_case(close, with_tiles)
    return Result(
        benchmark="recall",
        form=form,
        figures=[_figure(case, found) for case in every],
        tables=[Table("Faces found", COLUMNS, [_row(case, found) for case in every])],
    )


Outcomes = dict[str, dict[str, Sequence[Outcome]]]
"""By contender, then by case."""


def _samples(some: Sequence[Case]) -> list[Sample]:
    return [sample for case in some for sample in case.samples]


def _by_case(some: Sequence[Case], outcomes: Sequence[Outcome]) -> dict[str, Sequence[Outcome]]:
    ends = accumulate((len(case.samples) for case in some), initial=0)
    return {
        case.name: outcomes[first:end]
        for case, (first, end) in zip(some, pairwise(ends), strict=True)
    }


def _row(case: Case, found: Outcomes) -> list[Cell]:
    values = [
        round(_value(case, found[name][case.name]), 4) if case.name in found[name] else ""
        for name in (FACE_ANALYSIS, SERVICE, WITH_TILES)
    ]
    faces = sum(sample.faces for sample in case.samples)
    return [case.name, len(case.samples), faces, *values]


def _figure(case: Case, found: Outcomes) -> Figure:
    ours = WITH_TILES if case.kind is Kind.TINY else SERVICE
    is_empty = case.kind is Kind.EMPTY
    return Figure(
        id="R2" if is_empty else "R1",
        name=f"{case.name}: false faces" if is_empty else f"{case.name}: recall",
        value=_value(case, found[ours][case.name]),
        unit="faces" if is_empty else "of faces",
        target=_value(case, found[FACE_ANALYSIS][case.name]),
        better="lower" if is_empty else "higher",
    )


def _value(case: Case, outcomes: Sequence[Outcome]) -> float:
    """Recall; of photos without faces the number of false ones."""
    if case.kind is Kind.EMPTY:
        return float(sum(found for _, found in outcomes))
    return sum(recalled for recalled, _ in outcomes) / sum(one.faces for one in case.samples)


if __name__ == "__main__":
    main("recall", "Which faces are found, against FaceAnalysis.", measure)
