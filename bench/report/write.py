"""A report as files: the JSON, the Markdown beside it, the plots in a folder of the same name."""

from __future__ import annotations

import json
from pathlib import Path

from bench.report.markdown import markdown
from bench.report.plots import draw
from bench.report.report import Report


def write(report: Report, folder: Path) -> Path:
    """Write all files into the folder, over those of the same name. Returns the Markdown file."""
    folder.mkdir(parents=True, exist_ok=True)
    # Named with a suffix added: a name may hold a dot, such as of a clock frequency.
    text, data = folder / f"{report.name}.md", folder / f"{report.name}.json"
    plots = {
        (result.benchmark, number): draw(
            plot, folder / report.name / f"{result.benchmark}-{number + 1}"
        )
        for result in report.results
        for number, plot in enumerate(result.plots)
        if any(plot.series.values())
    }
    places = {key: file.relative_to(folder).as_posix() for key, file in plots.items()}
    data.write_text(json.dumps(report.to_json(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    text.write_text(markdown(report, places), "utf-8")
    return text
