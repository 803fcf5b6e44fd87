"""What passes and what fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.acceptance.findings import Findings
from bench.acceptance.load import Load, judge_load
from bench.acceptance.locust_stats import LoadStats, NoStats, read_stats

ENTRY = {
    "name": "/search/ top_k=10",
    "method": "POST",
    "num_requests": 100,
    "num_none_requests": 0,
    "num_failures": 0,
    "total_response_time": 2_000.5,
    "max_response_time": 91.2,
    "response_times": {"10": 94, "60": 1, "70": 4, "90": 1},
    "num_reqs_per_sec": {"1000": 5, "1001": 40, "1003": 50, "1004": 5},
}


def stats(**changes: object) -> LoadStats:
    """Of a run at 30 searches/s with one second in which nothing was answered."""
    given: dict[str, object] = {
        "requests": 100,
        "failures": 0,
        "mean_ms": 20.0,
        "longest_ms": 90.0,
        "milliseconds": {10: 94, 70: 6},
        "full_seconds": 3,
        "rate": 30.0,
    }
    return LoadStats(**(given | changes))  # type: ignore[arg-type]  # by name


def failed(load: Load, measured: LoadStats) -> list[str]:
    findings = Findings()
    judge_load(measured, load, 10, findings)
    return [line.what.partition(": ")[2].partition(",")[0] for line in findings.failed]


def written(folder: Path, content: str, reasons: str = "{}") -> tuple[Path, Path]:
    """The two files of a run."""
    stats_file, reasons_file = folder / "stats.json", folder / "failures.json"
    stats_file.write_text(content)
    reasons_file.write_text(reasons)
    return stats_file, reasons_file


def test_figures_of_locust_are_read_from_its_files(tmp_path: Path) -> None:
    why = {"429 overloaded": 2, "ConnectionRefusedError": 1}
    read = read_stats(*written(tmp_path, json.dumps([ENTRY]), json.dumps(why)))
    assert read.reasons == why
    assert (read.requests, read.failures, read.longest_ms) == (100, 0, 91.2)
    assert read.mean_ms == pytest.approx(20.005)
    assert [read.percentile_ms(percent) for percent in (50, 94, 95, 99, 100)] == [
        *(10, 10, 60, 70, 90)
    ]


def test_a_second_without_an_answer_counts_and_the_first_and_the_last_do_not(
    tmp_path: Path,
) -> None:
    read = read_stats(*written(tmp_path, json.dumps([ENTRY])))
    assert (read.full_seconds, read.rate) == (3, 30.0)


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps([ENTRY, ENTRY])])
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(NoStats):
        read_stats(*written(tmp_path, content))


def test_a_run_that_ended_before_it_said_why_has_no_figures(tmp_path: Path) -> None:
    stats_file, reasons_file = written(tmp_path, json.dumps([ENTRY]))
    reasons_file.unlink()
    with pytest.raises(NoStats):
        read_stats(stats_file, reasons_file)


def test_the_line_of_failures_says_why() -> None:
    findings = Findings()
    why = {"429 overloaded": 2, "503 inference_unavailable": 1}
    judge_load(stats(failures=3, reasons=why), Load(rate=30, seconds=5), 10, findings)
    found = next(line.found for line in findings.failed)
    assert found == "3 of 100 (429 overloaded: 2, 503 inference_unavailable: 1)"


def test_a_run_that_sent_nothing_has_no_figures_and_fails() -> None:
    nothing = stats(requests=0, milliseconds={}, full_seconds=0, rate=0.0)
    assert nothing.percentile_ms(99) == 0
    assert failed(Load(rate=30, seconds=5), nothing) == [
        "searches a second",
        "searches that failed",
    ]


@pytest.mark.parametrize(
    ("load", "changes", "expected"),
    [
        (Load(30, 5), {}, []),
        (Load(30, 5), {"rate": 29.4}, []),  # two are at the borders
        (Load(30, 300), {"rate": 29.4, "full_seconds": 298}, ["searches a second"]),
        (Load(30, 5), {"rate": 28.9}, ["searches a second"]),
        (Load(30, 5), {"full_seconds": 0}, ["searches a second"]),
        (Load(30, 5), {"failures": 1}, ["searches that failed"]),
        (Load(30, 5, p95_ms=70, p99_ms=70), {}, []),
        (Load(30, 5, p95_ms=69), {}, ["95th percentile"]),
        (Load(30, 5, p99_ms=69), {}, ["99th percentile"]),
    ],
)
def test_a_load_passes_by_its_rate_its_failures_and_the_limits_that_were_given(
    load: Load, changes: dict[str, object], expected: list[str]
) -> None:
    assert failed(load, stats(**changes)) == expected


def test_lines_without_a_verdict_neither_pass_nor_fail() -> None:
    findings = Findings()
    findings.tell("a", "how long", "5 ms")
    assert findings.judge("a", "two", 2, 2)
    assert not findings.judge("b", "three", 3, 4)
    assert findings.judged == 2
    assert [line.what for line in findings.failed] == ["three"]
    assert [(part, len(lines)) for part, lines in findings.parts()] == [("a", 2), ("b", 1)]
