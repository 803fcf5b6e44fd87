"""The documents say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.docs.configuration_page import (
    EXAMPLE,
    PAGE,
    ROLES,
    ROOT,
    example,
    page,
    settings_of,
)

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "proto/README.md"])
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def test_the_configuration_page_lists_the_settings_as_they_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make docs"
    assert EXAMPLE.read_text(encoding="utf-8") == example(), "run: make docs"


def test_every_setting_has_a_meaning() -> None:
    for _, _, kind in ROLES:
        for variable, _, meaning in settings_of(kind):
            assert meaning, variable


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), target
