"""The report of an acceptance as Markdown. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.acceptance.calls import Called
from bench.acceptance.findings import Finding, Findings
from bench.acceptance.locust_stats import LoadStats
from bench.kit.latency import Latencies
from bench.kit.result import JSON, Cell
from bench.report.markdown import grid, machine_section

_VERDICTS = {True: "pass", False: "**FAIL**", None: ""}
_LOCUST_PERCENTS = (50, 95, 99)
_ELSEWHERE = """\
## What this command does not do

- §12.1 and §12.2, `kubectl apply -f deploy/k8s/` and pods without errors, need a cluster:
  `docs/deploy.md`. Run this command with `--url` against what was deployed there.
- §5, no failed request while a version is replaced, is rehearsed by `python -m bench.rollout`."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Everything that a run found."""

    command: str
    date: str
    seconds: float
    facts: Mapping[str, str]
    """What was on trial, and how much was done."""
    notes: Sequence[str]
    machine: Mapping[str, JSON]
    findings: Findings
    log: Sequence[Called]
    """Every call of the checks."""
    loads: Mapping[int, LoadStats]
    """By top_k."""
    rate: float
    """Searches a second that were asked for."""

    @property
    def passes(self) -> bool:
        return not self.findings.failed


def markdown(acceptance: Acceptance) -> str:
    """The whole report: the verdict first, then what it stands on."""
    findings = acceptance.findings
    judged, failed = findings.judged, len(findings.failed)
    verdict = "**Passed**" if acceptance.passes else "**FAILED**"
    counts = f"{judged - failed} of {judged} lines pass"
    sections = [
        f"# Acceptance of {acceptance.date}",
        f"{verdict}: {counts}. `{acceptance.command}`, {acceptance.seconds / 60:.1f} minutes.",
        _failed(findings.failed),
        "## What was on trial\n\n"
        + grid(["", ""], [[name, value] for name, value in acceptance.facts.items()]),
        "\n".join(f"- {note}" for note in acceptance.notes),
        "## Load (§10)\n\n" + _load(acceptance),
        "## Endpoints (§7)\n\n" + _endpoints(acceptance.log),
        machine_section(acceptance.machine),
        _ELSEWHERE,
        "## Every line",
        *(f"### {part}\n\n{_lines(lines)}" for part, lines in findings.parts()),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _failed(failed: Sequence[Finding]) -> str:
    if not failed:
        return ""
    rows: list[list[Cell]] = [[line.part, line.what, line.expected, line.found] for line in failed]
    return "## What failed\n\n" + grid(["part", "what", "expected", "found"], rows)


def _load(acceptance: Acceptance) -> str:
    if not acceptance.loads:
        return "Not run: see above."
    rows: list[list[Cell]] = [
        [
            f"{top_k}",
            f"{acceptance.rate:g}",
            f"{stats.rate:.1f}",
            f"{stats.requests}",
            f"{stats.failures}",
            f"{stats.mean_ms:.1f}",
            *(f"{stats.percentile_ms(percent)}" for percent in _LOCUST_PERCENTS),
            f"{stats.longest_ms:.0f}",
        ]
        for top_k, stats in acceptance.loads.items()
    ]
    columns = ["top_k", "asked/s", "answered/s", "searches", "failed"]
    return grid([*columns, "average ms", "p50 ms", "p95 ms", "p99 ms", "max ms"], rows)


def _endpoints(log: Sequence[Called]) -> str:
    """How each operation answered in the checks, and how long it took."""
    rows: list[list[Cell]] = []
    for operation in dict.fromkeys(called.operation for called in log):
        calls = [called for called in log if called.operation == operation]
        answers = Counter(called.said for called in calls)
        latencies = Latencies.of(called.seconds for called in calls)
        rows.append(
            [
                f"`{operation}`",
                f"{len(calls)}",
                ", ".join(f"{said}: {count}" for said, count in sorted(answers.items())),
                f"{latencies.p50 * 1000:.1f}",
            ]
        )
    return grid(["operation", "calls", "answers", "median ms"], rows)


def _lines(lines: Sequence[Finding]) -> str:
    rows: list[list[Cell]] = [
        [line.what, line.expected, line.found, _VERDICTS[line.passes]] for line in lines
    ]
    return grid(["what", "expected", "found", ""], rows)
