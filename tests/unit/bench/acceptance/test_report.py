"""The report says what failed, and shows the figures that the specification asks for."""

from __future__ import annotations

from bench.acceptance.calls import Called
from bench.acceptance.findings import Findings
from bench.acceptance.locust_stats import LoadStats
from bench.acceptance.operations import PING, SEARCH
from bench.acceptance.report import Acceptance, markdown

STATS = LoadStats(
    requests=30_000,
    failures=2,
    mean_ms=23.44,
    longest_ms=310.0,
    milliseconds={20: 28_500, 40: 1_200, 60: 300},
    full_seconds=298,
    rate=99.97,
)


def acceptance(findings: Findings, loads: dict[int, LoadStats]) -> Acceptance:
    return Acceptance(
        command="python -m bench.acceptance",
        date="2026-11-21",
        seconds=90.0,
        facts={"pack": "starter 1", "records": "SQLite"},
        notes=["PostgreSQL is not installed here."],
        machine={"cores": 2, "cpu": "a | processor"},
        findings=findings,
        log=[
            Called(PING, "200", 0.001),
            Called(SEARCH, "200", 0.02),
            Called(SEARCH, "422 too_many_faces", 0.04),
        ],
        loads=loads,
        rate=100.0,
    )


def test_a_run_without_failed_lines_passes() -> None:
    findings = Findings()
    findings.judge("Keys", "no key", "401 unauthorized", "401 unauthorized")
    findings.tell("Keys", "told", "only")
    text = markdown(acceptance(findings, {10: STATS, 50: STATS}))
    assert "**Passed**: 1 of 1 lines pass. `python -m bench.acceptance`, 1.5 minutes." in text
    assert "What failed" not in text
    assert "| no key | 401 unauthorized | 401 unauthorized | pass |" in text
    assert "| told |  | only |  |" in text


def test_what_failed_stands_before_everything_else() -> None:
    findings = Findings()
    findings.judge("Keys", "no key", "401 unauthorized", "200")
    text = markdown(acceptance(findings, {}))
    assert text.startswith("# Acceptance of 2026-11-21\n\n**FAILED**: 0 of 1 lines pass.")
    assert text.index("## What failed") < text.index("## What was on trial")
    assert "| Keys | no key | 401 unauthorized | 200 |" in text
    assert "**FAIL**" in text
    assert "Not run" in text


def test_the_load_is_shown_with_average_and_percentiles_for_each_top_k() -> None:
    text = markdown(acceptance(Findings(), {10: STATS, 50: STATS}))
    assert (
        "| top_k | asked/s | answered/s | searches | failed | average ms | p50 ms | p95 ms |"
        in text
    )
    assert "| 10 | 100 | 100.0 | 30000 | 2 | 23.4 | 20 | 20 | 40 | 310 |" in text
    assert "| 50 | 100 | 100.0 |" in text


def test_each_operation_is_shown_with_its_answers_and_the_machine_with_its_facts() -> None:
    text = markdown(acceptance(Findings(), {}))
    assert "| `POST /search/` | 2 | 200: 1, 422 too_many_faces: 1 | 20.0 |" in text
    assert "| `GET /ping` | 1 | 200: 1 | 1.0 |" in text
    assert "- PostgreSQL is not installed here." in text
    assert "| cpu | a \\| processor |" in text
