"""Tables within a page that is otherwise written by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.kit.result import Cell, Table

_BLOCK = re.compile(r"(<!-- plan: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


class UnknownBlock(Exception):
    """The page has a block that nothing fills, or lacks one."""


def filled(page: str, blocks: Mapping[str, str]) -> str:
    """The page with each `<!-- plan: NAME -->` … `<!-- end -->` filled anew.

    Raises UnknownBlock.
    """
    named = [match["name"] for match in _BLOCK.finditer(page)]
    if sorted(named) != sorted(blocks):
        raise UnknownBlock(f"the page has the blocks {named}, and there are {list(blocks)}")
    return _BLOCK.sub(lambda match: f"{match[1]}\n{blocks[match['name']]}\n\n{match[3]}", page)


def write(page: Path, blocks: Mapping[str, str]) -> None:
    """Fill a page where it lies. Raises OSError, UnknownBlock."""
    page.write_text(filled(page.read_text("utf-8"), blocks), "utf-8")


def grid(table: Table) -> str:
    """A table in Markdown, without its title."""
    lines = [table.columns, ["---"] * len(table.columns), *(_cells(row) for row in table.rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(row: Sequence[Cell]) -> list[str]:
    return [f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row]
