"""Renders a report anew from its JSON: `python -m bench.report bench/results/NAME.json`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench.report.report import Report
from bench.report.write import write


def main() -> None:
    """Read, render."""
    parser = argparse.ArgumentParser("python -m bench.report", description="Render a report anew.")
    parser.add_argument("file", type=Path, help="JSON of a report")
    asked = parser.parse_args()
    report = Report.from_json(json.loads(asked.file.read_text("utf-8")))
    print(f"written to {write(report, asked.file.resolve().parent)}")


if __name__ == "__main__":
    main()
