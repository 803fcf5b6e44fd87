"""A report as Markdown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.kit.figures import Figure
from bench.kit.result import JSON, Cell, Form, Result, Table
from bench.report.report import Failure, Report

_SIGNS = {"higher": "≥", "lower": "≤"}
_VERDICTS = {True: "pass", False: "**miss**", None: ""}

PlotFiles = Mapping[tuple[str, int], str]
"""Where each plot lies beside the report, by benchmark and its place among its plots."""


def markdown(report: Report, plots: PlotFiles) -> str:
    """The whole report: targets first, then benchmark by benchmark."""
    sections = [
        f"# Benchmarks of {report.date}",
        _form(report.form),
        machine_section(report.machine),
        "## Targets\n\n" + _figures(report.figures),
        *(_failure(failure) for failure in report.failures),
        *(_result(result, plots) for result in report.results),
    ]
    return "\n\n".join(sections) + "\n"


def _form(form: Form) -> str:
    if form is Form.SHORT:
        return (
            "The short form (`make bench`): a minute each, to see that nothing broke. The targets "
            "are judged by the long form (`make bench-full`)."
        )
    return (
        "The long form (`make bench-full`), which the targets are judged by, except where a "
        "command below is without `--full`."
    )


def machine_section(machine: Mapping[str, JSON]) -> str:
    """What `bench.kit.machine` says, under a heading."""
    rows: list[list[Cell]] = [
        [name.replace("_", " "), _fact(value)]
        for name, value in machine.items()
        if value not in (None, [], {})
    ]
    return "## Machine\n\n" + grid(["", ""], rows)


def _fact(value: JSON) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_fact(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_fact, value))
    return str(value)


def _figures(figures: Sequence[Figure]) -> str:
    rows: list[list[Cell]] = [
        [
            figure.id,
            figure.name,
            f"{figure.value:.4g} {figure.unit}",
            "" if figure.target is None else f"{_SIGNS[figure.better]} {figure.target:g}",
            _VERDICTS[figure.passes],
        ]
        for figure in figures
    ]
    return grid(["id", "figure", "value", "target", ""], rows)


def _failure(failure: Failure) -> str:
    return f"## {failure.benchmark}: failed\n\n```text\n{failure.reason.strip()}\n```"


def _result(result: Result, plots: PlotFiles) -> str:
    parts = [
        f"## {result.benchmark}",
        f"`{_command(result)}`, {result.seconds:g} s.",
    ]
    parts += [_table(table) for table in result.tables]
    parts += [
        f"![{plot.title}]({plots[result.benchmark, number]})"
        for number, plot in enumerate(result.plots)
        if (result.benchmark, number) in plots
    ]
    return "\n\n".join(parts)


def _command(result: Result) -> str:
    command = f"python -m bench.{result.benchmark}"
    return f"{command} --full" if result.form is Form.FULL else command


def _table(table: Table) -> str:
    return f"**{table.title}**\n\n{grid(table.columns, table.rows)}"


def grid(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A table."""
    lines = [columns, ["---"] * len(columns), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(cell: Cell) -> str:
    if isinstance(cell, float):
        return f"{cell:.4g}" if abs(cell) < 1000 else f"{cell:,.0f}"
    return str(cell).replace("|", "\\|").replace("\n", " ")
