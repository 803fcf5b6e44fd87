"""Fetches a pack through the insightface package, and checks what came before anybody sees it.

insightface downloads without a digest check and unpacks in place (``utils/storage.py``), so a
broken download would stay. Here it works in a process of its own, in a temporary folder beside the
target, and one rename makes the result visible.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from inference.errors import PackError
from inference.models.find import insightface_models_dir
from inference.models.pack import load_pack

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
POLL_SECONDS = 0.2

FETCH = (
    sys.executable,
    "-c",
    """
import sys
from insightface.utils.storage import download
download("models", sys.argv[1], force=True, root=sys.argv[2])
""",
)
"""The command that writes ``<root>/models/<name>.zip`` and unpacks it; name and root follow."""

Progress = Callable[[int], None]
"""Called a few times a second with the bytes that have come; how many will come is not known."""


def pull(
    name: str,
    models_dir: Path | None = None,
    progress: Progress | None = None,
    *,
    fetch: Sequence[str] = FETCH,
) -> Path:
    """Fetch a pack of InsightFace's model zoo; the folder that it lies in then.

    models_dir: None takes ~/.insightface/models. A pack that is there already is checked and left.
    Raises PackError, which says what to copy where if the download does not work.
    """
    if not NAME.fullmatch(name):
        raise PackError(f"{name!r} is no name of a pack; one is buffalo_l")
    root = models_dir.expanduser() if models_dir is not None else insightface_models_dir()
    target = root / name
    if not target.exists():
        with _workspace(root, target) as workspace:
            _download([*fetch, name, str(workspace)], name, workspace, target, progress)
            _check_archive(workspace / "models" / f"{name}.zip")
            folder = _flattened(workspace / "models" / name)
            try:
                load_pack(folder)
            except PackError as error:
                raise PackError(f"what came for {name} is no pack: {error}") from error
            _publish(folder, target)
    return load_pack(target).folder


def _download(
    command: Sequence[str], name: str, workspace: Path, target: Path, progress: Progress | None
) -> None:
    """Run the download to its end. Raises PackError."""
    archive = workspace / "models" / f"{name}.zip"
    # A file, not a pipe: insightface draws its own bar, and nobody would empty the pipe.
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter; the name was checked
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
        )
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(POLL_SECONDS)
                if progress is not None:
                    progress(_size(archive))
                if process.returncode is not None:
                    break
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
    if process.returncode == 0:
        return
    reason = lines[-1].strip() if lines else f"exit code {process.returncode}"
    if reason.startswith("ModuleNotFoundError"):
        raise PackError(f"downloading needs the insightface package; {_by_hand(name, target)}")
    if "BadZipFile" in reason:
        raise PackError(f"the download of {name} is damaged; {_by_hand(name, target)}")
    raise PackError(
        f"{name} could not be downloaded (no network, or no pack of that name); "
        f"{_by_hand(name, target)} ({reason.partition(':')[0]})"
    )


def _check_archive(archive: Path) -> None:
    """Raises PackError if a checksum in the zip file does not fit."""
    try:
        with zipfile.ZipFile(archive) as content:
            broken = content.testzip()
    except (OSError, zipfile.BadZipFile) as error:
        raise PackError("the download is damaged; pull again") from error
    if broken is not None:
        raise PackError(f"the download is damaged ({broken}); pull again")


def _flattened(folder: Path) -> Path:
    """The folder that holds the files: antelopev2.zip has another folder inside."""
    inner = folder / folder.name
    return inner if inner.is_dir() and not any(folder.glob("*.onnx")) else folder


@contextlib.contextmanager
def _workspace(root: Path, target: Path) -> Iterator[Path]:
    """A temporary folder on the target's file system, so that one rename can publish."""
    is_new = not root.exists()
    try:
        root.mkdir(parents=True, exist_ok=True)
        workspace = Path(tempfile.mkdtemp(prefix=".pull-", dir=root))
    except OSError as error:
        raise PackError(f"{target} cannot be written: {error.strerror}") from error
    try:
        yield workspace
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
        if is_new:
            # A folder made for nothing, such as a mistyped --models-dir, goes again.
            with contextlib.suppress(OSError):
                root.rmdir()


def _publish(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError as error:
        if not target.is_dir():
            raise PackError(f"{target} cannot be written: {error.strerror}") from error
        # Another pull was faster; what it published was checked as well.


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _by_hand(name: str, target: Path) -> str:
    return (
        f"by hand: fetch {name}.zip from the model-zoo release of "
        f"github.com/deepinsight/insightface and put its .onnx files into {target}, "
        "or anywhere and name that folder with --models-dir (make demo MODELS=folder)"
    )
