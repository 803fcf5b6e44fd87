"""One report of all benchmarks: what is in it, and when a run counts as failed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.__main__ import SHORT, main
from bench.kit.figures import Figure
from bench.kit.result import JSON, Form, Plot, PlotKind, Result, Table
from bench.report.markdown import markdown
from bench.report.plots import draw
from bench.report.report import Failure, Report
from bench.report.write import write
from bench.run import run_benchmark

MACHINE: dict[str, JSON] = {
    "cpu": "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz",
    "cores": 2,
    "commit": "abc",
}
RATIO = Figure("P10", "recall", 0.5, "of all", target=0.99, is_guarded=True)
LATENCY = Figure("P2", "p99", 12.0, "ms", target=20.0, better="lower")
UNNAMED = Figure("", "p50 of something", 1.25, "ms")
LINE = Plot("over time", "line", "s", "ms", {"p50": [(0, 1), (1, 2)], "p99": [(0, 3), (1, 4)]})


def report(form: Form = Form.FULL, **changes: list[Failure]) -> Report:
    result = Result(
        "search",
        form,
        [UNNAMED, RATIO, LATENCY],
        [Table("Sizes", ["faces", "note"], [[1000, "a|b"], [12345.6, "c"], [0.123456, ""]])],
        [LINE],
        seconds=12.5,
    )
    return Report("2026-02-03", form, MACHINE, [result], **changes)


def test_the_first_table_has_every_figure_by_its_target() -> None:
    text = markdown(report(), {})
    targets = text.split("## ")[2]
    rows = [line for line in targets.splitlines() if line.startswith("| ")]
    assert rows[2:] == [
        "| P2 | p99 | 12 ms | ≤ 20 | pass |",
        "| P10 | recall | 0.5 of all | ≥ 0.99 | **miss** |",
        "|  | p50 of something | 1.25 ms |  |  |",
    ]


def test_the_machine_and_the_commit_stand_above_the_figures() -> None:
    head = markdown(report(), {}).split("## Targets")[0]
    assert "| cpu | Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz |" in head
    assert "| commit | abc |" in head
    assert "long form" in head


def test_tables_keep_their_shape_whatever_is_in_a_cell() -> None:
    text = markdown(report(), {})
    assert "| 1000 | a\\|b |" in text
    assert "| 12,346 | c |" in text
    assert "| 0.1235 |  |" in text


def test_a_benchmark_that_failed_is_in_the_report_with_its_last_words() -> None:
    text = markdown(report(failures=[Failure("load", "no photos\nexit code 1")]), {})
    assert "## load: failed\n\n```text\nno photos\nexit code 1\n```" in text


def test_a_guarded_figure_below_half_its_target_and_a_failed_benchmark_are_faults() -> None:
    found = report(failures=[Failure("load", "why")])
    assert found.faults == ["load gave no result"]  # 0.5 is more than half of 0.99
    low = Figure("P1", "ratio", 0.4, "ratio", target=0.9, is_guarded=True)
    unguarded = Figure("P3", "p99", 500.0, "ms", target=100.0, better="lower")
    halved = Report("x", Form.SHORT, MACHINE, [Result("engine", Form.SHORT, [low, unguarded])])
    assert halved.faults == ["P1 ratio: 0.4 ratio is worse than half its target of 0.9"]


def test_files_are_named_by_date_and_machine_and_the_short_form_says_so() -> None:
    assert report().name == "2026-02-03-intel-xeon-platinum-8481c-2-cores"
    assert report(Form.SHORT).name.endswith("-2-cores-short")


def test_a_report_is_written_with_its_plots_and_read_back(tmp_path: Path) -> None:
    text = write(report(), tmp_path)
    name = report().name
    files = sorted(file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.*"))
    assert files == [f"{name}.json", f"{name}.md", f"{name}/search-1.svg"]
    assert f"![over time]({name}/search-1.svg)" in text.read_text("utf-8")
    data = json.loads((tmp_path / f"{name}.json").read_text("utf-8"))
    assert Report.from_json(data) == report()


@pytest.mark.parametrize("kind", ["line", "cdf", "bar", "scatter"])
def test_the_same_plot_gives_the_same_small_file(tmp_path: Path, kind: PlotKind) -> None:
    points = [(float(x), float(x % 7)) for x in range(60)]
    plot = Plot("x", kind, "x", "y", {"a": points, "b": points[:50]})
    first, second = draw(plot, tmp_path / "first"), draw(plot, tmp_path / "second")
    assert first.suffix == ".svg"
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 300_000


def test_a_plot_of_many_points_stays_small(tmp_path: Path) -> None:
    points = [(float(x), float(x * 7919 % 1000)) for x in range(30_000)]
    file = draw(Plot("x", "scatter", "x", "y", {"a": points}), tmp_path / "many")
    assert file.suffix == ".png"
    assert file.stat().st_size < 300_000


def test_a_benchmark_that_ends_badly_is_a_failure_with_what_it_said() -> None:
    ended = run_benchmark("no_such_benchmark", Form.SHORT, [])
    assert isinstance(ended, Failure)
    assert "No module named bench.no_such_benchmark" in ended.reason
    assert "exit code 1" in ended.reason


def test_all_benchmarks_run_one_after_the_other_though_one_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, Form, list[str]]] = []

    def run(name: str, form: Form, options: Sequence[str]) -> Result | Failure:
        asked.append((name, form, list(options)))
        return Failure(name, "out of luck") if name == "decode" else Result(name, form, [LATENCY])

    photos = str(tmp_path / "photos")
    assert main(["--results", str(tmp_path), "--photos", photos], run) == 1
    assert asked == [(name, Form.SHORT, ["--photos", photos]) for name in SHORT]
    assert "decode gave no result" in capsys.readouterr().err
    (text,) = tmp_path.glob("*-short.md")
    assert "## decode: failed" in text.read_text("utf-8")


def test_a_run_without_faults_ends_well(tmp_path: Path) -> None:
    def run(name: str, form: Form, _: Sequence[str]) -> Result | Failure:
        return Result(name, form, [LATENCY])

    assert main(["--full", "--only", "engine", "--results", str(tmp_path)], run) == 0
    (data,) = tmp_path.glob("*.json")
    results = Report.from_json(json.loads(data.read_text("utf-8"))).results
    assert [(result.benchmark, result.form) for result in results] == [("engine", Form.FULL)]
