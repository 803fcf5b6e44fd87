"""What a command line of the acceptance comes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.acceptance.deployed import Elsewhere
from bench.acceptance.load import Load
from bench.acceptance.options import FULL, SHORT, Size, asked_of
from bench.acceptance.stores import Records, Vectors


@pytest.fixture
def pack(tmp_path: Path) -> str:
    return f"--pack={tmp_path}"


def test_the_default_is_what_the_specification_asks_for(pack: str, tmp_path: Path) -> None:
    asked = asked_of([pack])
    assert asked.size == FULL == Size(10_000, 300, Load(rate=100, seconds=300))
    assert asked.service == tmp_path
    assert (asked.records, asked.vectors) == (Records.AUTO, Vectors.LITE)
    assert asked.report.name == "acceptance-report.md"


def test_single_amounts_can_be_given_over_either_form(pack: str) -> None:
    asked = asked_of([pack, "--short", "--photos", "50", "--minutes", "0.1", "--p99-ms", "80"])
    assert asked.size == Size(50, SHORT.selfies, Load(rate=10, seconds=6, p99_ms=80))


def test_a_rehearsal_leaves_the_report_that_counts_alone(pack: str, tmp_path: Path) -> None:
    assert asked_of([pack, "--short"]).report != asked_of([pack]).report
    named = asked_of([pack, "--short", "--report", str(tmp_path / "report.md")])
    assert named.report == tmp_path / "report.md"


def test_a_service_elsewhere_is_asked_with_the_key_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FACESEARCH_API_KEY", "a secret")
    asked = asked_of(["--url", "https://faces.example.org/"])
    assert asked.service == Elsewhere("https://faces.example.org", "a secret")
    assert "a secret" not in repr(asked)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--url", "http://127.0.0.1:8000"], "export FACESEARCH_API_KEY"),
        (["--pack", "/no/such/folder"], "--pack"),
        (["--photos", "0"], "must be 1 or more"),
        (["--photos-dir", "/no/such/folder"], "is no folder"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(
    words: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("FACESEARCH_API_KEY", raising=False)
    with pytest.raises(SystemExit):
        asked_of(words)
    assert said in capsys.readouterr().err
