"""Where packs are looked for: the folder that was named, our own, then InsightFace's."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from inference.errors import PackError
from inference.models.manifest import MANIFEST_NAME

AUTO = "auto"
STARTER = "starter"
EMBEDDED_DIR = Path(__file__).parent / "packs"
"""The packs that come with facesearch. Not there in a build that leaves the weights out."""
BEST_FIRST = ("buffalo_l", "antelopev2", "buffalo_m", "buffalo_s", "buffalo_sc")
"""InsightFace's packs by accuracy (python-package/README.md); others follow by name."""


def insightface_models_dir() -> Path:
    """Where the insightface package keeps its packs. Raises PackError: this user has no home."""
    try:
        return Path.home() / ".insightface" / "models"
    except RuntimeError as error:  # as in some containers
        raise PackError("this user has no home folder; name a folder with --models-dir") from error


def embedded_starter(embedded: Path = EMBEDDED_DIR) -> Path | None:
    """The pack that is the default; None: this build comes without.

    Whole or not: one that is damaged must be refused, and not stepped over for another.
    """
    folder = embedded / STARTER
    return folder if _looks_like_a_pack(folder) else None


def is_embedded(folder: Path, embedded: Path = EMBEDDED_DIR) -> bool:
    """Whether a pack came with facesearch."""
    return folder.resolve().is_relative_to(embedded.resolve())


def list_packs(models_dir: Path | None, *, embedded: Path = EMBEDDED_DIR) -> list[Path]:
    """Folders that look like packs, best known first, each name once.

    models_dir: a folder of packs, or a pack itself; what it has hides what comes with facesearch
    under the same name, and that hides what ~/.insightface/models has. Nothing is opened:
    `load_pack` says whether a folder really is a pack.
    """
    by_name: dict[str, Path] = {}
    for root in _roots(models_dir, embedded):
        for folder in _packs_in(root):
            by_name.setdefault(folder.name, folder)
    return sorted(by_name.values(), key=_rank)


def find_pack(name: str, models_dir: Path | None, *, embedded: Path = EMBEDDED_DIR) -> Path:
    """The folder of a pack.

    name: of a pack, a path of a folder, or "auto": the best known pack of models_dir, and where
    none is named the starter pack that comes with facesearch. Raises PackError, which says what to
    copy where.
    """
    if name == AUTO:
        return _default(models_dir, embedded)
    path = Path(name).expanduser()
    if path.is_absolute() or len(path.parts) > 1:
        if path.is_dir():
            return path
    else:
        # A bare name is a pack's name: what lies in the working directory must not shadow one.
        for folder in _places_of(name, models_dir, embedded):
            if folder.resolve().name == name and folder.is_dir():
                return folder.resolve()
    packs = list_packs(models_dir, embedded=embedded)
    found = ", ".join(folder.name for folder in packs) or "none"
    raise PackError(
        f"no pack {name!r} in {_names(_roots(models_dir, embedded))} (found: {found}); "
        f"{_what_to_do(models_dir, name)}"
    )


def _default(models_dir: Path | None, embedded: Path) -> Path:
    """What was once pulled to ~/.insightface/models changes nothing where a pack is embedded: a
    base belongs to the pack that filled it, and fetching another must not stop the service.
    """
    starter = embedded_starter(embedded)
    if models_dir is None and starter is not None:
        return starter
    root = insightface_models_dir() if models_dir is None else models_dir.expanduser()
    packs = sorted(_packs_in(root), key=_rank)
    if not packs:
        or_else = "" if starter is None else ", or name no folder: the starter pack is built in"
        raise PackError(f"no pack was found in {root}; {_what_to_do(models_dir)}{or_else}")
    return packs[0]


def _roots(models_dir: Path | None, embedded: Path) -> Sequence[Path]:
    roots = [] if models_dir is None else [models_dir.expanduser()]
    if embedded.is_dir():
        roots.append(embedded)
    with suppress(PackError):  # nothing lies in a home that is not there
        roots.append(insightface_models_dir())
    return roots


def _places_of(name: str, models_dir: Path | None, embedded: Path) -> Sequence[Path]:
    places = [root / name for root in _roots(models_dir, embedded)]
    # The folder that was named may be the pack itself.
    return places if models_dir is None else [places[0], models_dir.expanduser(), *places[1:]]


def _packs_in(root: Path) -> list[Path]:
    if _looks_like_a_pack(root):
        return [root.resolve()]
    if not root.is_dir():
        return []
    return [
        folder
        for folder in root.iterdir()
        # One folder too deep is how antelopev2.zip unpacks.
        if _looks_like_a_pack(folder) or _looks_like_a_pack(folder / folder.name)
    ]


def _looks_like_a_pack(folder: Path) -> bool:
    """Whether it says so itself or holds two networks: one cannot both detect and recognise."""
    if (folder / MANIFEST_NAME).is_file():
        return True
    return folder.is_dir() and len(list(folder.glob("*.onnx"))) > 1


def _rank(folder: Path) -> tuple[int, str]:
    known = BEST_FIRST.index(folder.name) if folder.name in BEST_FIRST else len(BEST_FIRST)
    return known, folder.name


def _names(folders: Sequence[Path]) -> str:
    return " or ".join(str(folder) for folder in folders)


def _what_to_do(models_dir: Path | None, name: str = "buffalo_l") -> str:
    pulled = name if name in BEST_FIRST else "buffalo_l"
    target = (models_dir.expanduser() if models_dir else insightface_models_dir()) / name
    return (
        f"copy its .onnx files (a detector and a recogniser) to {target}, "
        f"or run: facesearch models pull {pulled}"
    )
