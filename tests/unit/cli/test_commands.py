"""What every command has in common: help at once, one line for an error, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.errors import ExitCode
from cli.main import main
from edge import __version__

COMMANDS = [
    "up",
    "inference",
    "edge",
    "keys create",
    "keys list",
    "keys revoke",
    "backup",
    "restore",
    "index",
    "search",
    "check",
    "models list",
    "models info",
    "models verify",
    "models pull",
    "eval lfw",
    "eval detection",
]
SLOW_TO_IMPORT = {
    *("onnxruntime", "onnx", "cv2", "insightface", "pymilvus", "milvus_lite", "numpy"),
    *("grpc", "httpx2", "sqlalchemy", "PIL", "fastapi"),
}


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it wrote."""

    code: int
    stdout: str
    stderr: str


Facesearch = Callable[..., Done]


@pytest.fixture
def facesearch(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Facesearch:
    """The command line in this process, of a user without settings and packs."""
    for name in os.environ:
        if name.startswith(("INFERENCE_", "EDGE_", "STORAGE_", "FACESEARCH_", "API_KEY")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Done:
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        written = capsys.readouterr()
        return Done(code, written.out, written.err)

    return run


def test_nothing_slow_is_imported_before_a_command_runs() -> None:
    code = "import sys, cli.main; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert SLOW_TO_IMPORT & set(done.stdout.split()) == set()


def test_the_version_is_told(facesearch: Facesearch) -> None:
    assert facesearch("--version").stdout == f"facesearch {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(facesearch: Facesearch, command: str) -> None:
    done = facesearch(*command.split(), "--help")
    assert done.code == 0
    assert f"facesearch {command}" in done.stdout.partition("Examples")[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["index", "/proc/nowhere/at/all"], "there is no /proc/nowhere/at/all"),
        (["search", "/proc/nowhere.jpg"], "/proc/nowhere.jpg cannot be read"),
        (["search", __file__, "--threshold", "2"], "'2' is no threshold"),
        (["search", __file__, "--url", "http://127.0.0.1:1"], "needs an API key"),
        (["search", __file__, "--url", "nonsense", "--key", "k"], "nonsense"),
        (["keys", "list", "--data-dir", "/proc/nowhere"], "there is no base in /proc/nowhere"),
        (["check", "--data-dir", "/proc/nowhere"], "there is no base in /proc/nowhere"),
        (
            ["backup", "/proc/nowhere/b", "--data-dir", "/proc/nowhere"],
            "there is no base in /proc/nowhere",
        ),
        (["restore", "/proc/nowhere"], "there is no folder /proc/nowhere"),
        (["restore", str(Path(__file__).parent)], "manifest.json is missing"),
        (["keys", "create", "x", "--scopes", "all"], "'all' are no scopes"),
        (["models", "info", "no-such-pack"], "no pack 'no-such-pack'"),
        (
            ["eval", "lfw", "--images", "/proc/nowhere", "--pairs", "/proc/nowhere"],
            "there is no /proc/nowhere",
        ),
        (["eval", "lfw", "--images", "/proc/nowhere"], "pairs are needed once"),
        (
            ["eval", "detection", "--photos", "/proc/nowhere", "--expected", "/proc/nowhere"],
            "/proc/nowhere cannot be read",
        ),
    ],
)
def test_a_mistake_is_one_clear_line(
    facesearch: Facesearch, arguments: list[str], said: str
) -> None:
    done = facesearch(*arguments)
    assert done.code == ExitCode.USAGE
    assert done.stdout == ""
    assert said in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_service_that_is_not_there_is_one_clear_line(facesearch: Facesearch) -> None:
    done = facesearch("search", __file__, "--url", "http://127.0.0.1:1", "--key", "k")
    assert done.code == ExitCode.UNAVAILABLE
    assert "no service answers at http://127.0.0.1:1" in done.stderr
    assert "facesearch up" in done.stderr


def test_an_unknown_setting_stops_a_command_with_its_name(
    facesearch: Facesearch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STORAGE_DATADIR", "x")
    done = facesearch("keys", "create", "x", "--data-dir", str(tmp_path))
    assert done.code == ExitCode.USAGE
    assert "STORAGE_DATADIR" in done.stderr


def test_a_key_is_shown_when_it_is_made_and_never_again(
    facesearch: Facesearch, tmp_path: Path
) -> None:
    base = ("--data-dir", str(tmp_path))
    made = facesearch(
        "keys", "create", "guests", "--scopes", "search", "--collections", "a,b", *base
    )
    key = made.stdout.strip()
    assert key.startswith("fs_")
    assert key not in made.stderr
    listed = facesearch("keys", "list", "--json", *base)
    (row,) = json.loads(listed.stdout)
    assert (row["name"], row["scopes"], row["collections"]) == ("guests", ["search"], ["a", "b"])
    assert key not in listed.stdout
    assert key not in facesearch("keys", "list", *base).stdout
    assert key.encode() not in b"".join(f.read_bytes() for f in tmp_path.rglob("*") if f.is_file())


def test_a_revoked_key_is_listed_as_such_and_its_name_is_free(
    facesearch: Facesearch, tmp_path: Path
) -> None:
    base = ("--data-dir", str(tmp_path))
    facesearch("keys", "create", "x", *base)
    assert facesearch("keys", "create", "x", *base).code == ExitCode.USAGE
    assert facesearch("keys", "revoke", "x", *base).code == ExitCode.DONE
    assert facesearch("keys", "revoke", "x", *base).code == ExitCode.USAGE
    assert json.loads(facesearch("keys", "list", "--json", *base).stdout)[0]["revoked_at"]
    assert facesearch("keys", "create", "x", *base).code == ExitCode.DONE


def test_a_check_of_an_empty_base_finds_nothing(facesearch: Facesearch, tmp_path: Path) -> None:
    base = ("--data-dir", str(tmp_path))
    facesearch("keys", "create", "x", *base)
    done = facesearch("check", "--json", *base)
    assert done.code == ExitCode.DONE
    assert json.loads(done.stdout)["problems"] == 0
