"""Where packs are looked for: the folder that was named, then InsightFace's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inference.errors import PackError

AUTO = "auto"
BEST_FIRST = ("antelopev2", "buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc")
"""InsightFace's packs by accuracy (python-package/README.md); others follow by name."""


def insightface_models_dir() -> Path:
    """Where the insightface package keeps its packs."""
    return Path.home() / ".insightface" / "models"


def list_packs(models_dir: Path | None) -> list[Path]:
    """Folders that look like packs, best known first, each name once.

    models_dir: a folder of packs, or a pack itself; what it has hides what ~/.insightface/models
    has under the same name. Nothing is opened: `load_pack` says whether a folder really is a pack.
    """
    by_name: dict[str, Path] = {}
    for root in _roots(models_dir):
        for folder in _packs_in(root):
            by_name.setdefault(folder.name, folder)
    return sorted(by_name.values(), key=_rank)


def find_pack(name: str, models_dir: Path | None) -> Path:
    """The folder of a pack.

    name: of a pack, a path of a folder, or "auto" for the best one found. Raises PackError, which
    says what to copy where.
    """
    packs = list_packs(models_dir)
    if name == AUTO:
        if not packs:
            raise PackError(f"no pack was found{_looked_in(models_dir)}; {_what_to_do(models_dir)}")
        return packs[0]
    path = Path(name).expanduser()
    if path.is_absolute() or len(path.parts) > 1:
        if path.is_dir():
            return path
    else:
        # A bare name is a pack's name: what lies in the working directory must not shadow one.
        for root in _roots(models_dir):
            for folder in (root / name, root):
                if folder.resolve().name == name and folder.is_dir():
                    return folder.resolve()
    found = ", ".join(folder.name for folder in packs) or "none"
    raise PackError(
        f"no pack {name!r}{_looked_in(models_dir)} (found: {found}); "
        f"{_what_to_do(models_dir, name)}"
    )


def _roots(models_dir: Path | None) -> Sequence[Path]:
    default = insightface_models_dir()
    return (default,) if models_dir is None else (models_dir.expanduser(), default)


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
    """Whether there are two networks: one alone cannot both detect and recognise."""
    return folder.is_dir() and len(list(folder.glob("*.onnx"))) > 1


def _rank(folder: Path) -> tuple[int, str]:
    known = BEST_FIRST.index(folder.name) if folder.name in BEST_FIRST else len(BEST_FIRST)
    return known, folder.name


def _looked_in(models_dir: Path | None) -> str:
    return " in " + " or ".join(str(root) for root in _roots(models_dir))


def _what_to_do(models_dir: Path | None, name: str = "buffalo_l") -> str:
    pulled = name if name in BEST_FIRST else "buffalo_l"
    target = _roots(models_dir)[0] / name
    return (
        f"copy its .onnx files (a detector and a recogniser) to {target}, "
        f"or run: facesearch models pull {pulled}"
    )
