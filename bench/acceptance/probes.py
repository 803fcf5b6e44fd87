"""The selfies of the load test: those that the service itself takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.acceptance.answers import Found
from bench.acceptance.calls import Calls
from bench.acceptance.findings import Findings
from bench.acceptance.operations import SEARCH

PART = "Whom it finds"
_OK = "200"
_REFUSALS = frozenset({"422 too_many_faces", "422 no_faces_detected"})
_MIN_RIGHT = 0.98


@dataclass(frozen=True, slots=True)
class Probe:
    """A selfie and whose it is."""

    selfie: bytes
    person: str


def keep_probes(
    calls: Calls,
    probes: Sequence[Probe],
    collections: Sequence[str],
    folder: Path,
    findings: Findings,
) -> int:
    """Search with every selfie once, and write down those that are answered.

    News photos may show a second face, and a refusal is cheaper than an answer: it would flatter
    the figures. Returns how many there are. Raises CallFailed.
    """
    said: Counter[str] = Counter()
    right = 0
    folder.mkdir(parents=True, exist_ok=True)
    for probe in probes:
        answer = calls(SEARCH, image=probe.selfie, fields={"collection_id": list(collections)})
        if answer.said == _OK:
            (folder / f"{said[_OK]:05}.jpg").write_bytes(probe.selfie)
            first = answer.read(Found).results[:1]
            right += sum(match.photo_id.startswith(f"{probe.person}/") for match in first)
        said[answer.said] += 1
    others = sum(count for what, count in said.items() if what not in {_OK, *_REFUSALS})
    findings.judge(PART, "selfies refused for other reasons than their faces", 0, others)
    findings.tell(PART, "answers", ", ".join(f"{what}: {n}" for what, n in sorted(said.items())))
    findings.rule(
        PART,
        "the first match shows the person on the selfie",
        f"at least {_MIN_RIGHT:.0%}",
        f"{right} of {said[_OK]}",
        passes=said[_OK] > 0 and right >= _MIN_RIGHT * said[_OK],
    )
    return said[_OK]
