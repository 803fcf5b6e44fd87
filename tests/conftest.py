"""What every test may ask for: the shared data and a pack of real weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

from inference.errors import PackError
from inference.models.find import AUTO, embedded_starter, find_pack
from inference.models.pack import pack_folder

FIGURE = "figure"
"""A property of a test that is shown at the end of the run: record_property(FIGURE, text)."""

ROOT = Path(__file__).resolve().parent.parent

if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
    # Containers like to set it, and then every process that a test starts compiles all it imports:
    # an edge for over two seconds.
    os.environ["PYTHONPYCACHEPREFIX"] = str(ROOT / ".pytest_cache" / "bytecode")


# How long an example takes says more about what else the machine does. All else stays as it is: in
# CI hypothesis takes the same examples every time.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


def missing(reason: str) -> None:
    """Skip with the reason; in CI nothing may be missing, so fail."""
    if os.environ.get("CI"):
        pytest.fail(f"needed in CI: {reason}")
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests measured."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, text in report.user_properties:
            if name == FIGURE:
                terminalreporter.write_line(str(text))


@pytest.fixture(autouse=True)
def _fresh_logging() -> Iterator[None]:
    """A command that ran in this process must not leave its logging on a stream that is closed."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with photos and LFW that tests of real faces need; it is not part of the repo."""
    folder = Path(os.environ.get("FACESEARCH_SHARED") or ROOT.parent / "shared").resolve()
    if not (folder / "data").is_dir():
        missing("no test data: set FACESEARCH_SHARED to the folder that holds data/")
    return folder


@pytest.fixture(scope="session")
def pack_dir() -> Path:
    """A pack of real weights: of MODELS=dir, else the shared one, else the embedded starter."""
    named = os.environ.get("FACESEARCH_MODELS")
    shared = Path(os.environ.get("FACESEARCH_SHARED") or ROOT.parent / "shared").resolve()
    mbf128 = shared / "models" / "mbf128"
    models_dir = Path(named) if named else mbf128 if mbf128.is_dir() else None
    try:
        return pack_folder(find_pack(AUTO, models_dir)).resolve()
    except PackError as error:
        missing(f"no pack of weights: set MODELS=dir ({error})")
    raise AssertionError


@pytest.fixture(scope="session")
def starter() -> Path:
    """The pack that comes with facesearch, whatever else there is."""
    folder = embedded_starter()
    if folder is None:
        missing("this checkout comes without the weights in inference/models/packs/starter")
        raise AssertionError
    return folder
