"""Packs in a table, or one of them whole."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from cli.console import note, out, print_json, table
from cli.logs import quiet_logs
from inference.errors import PackError
from inference.models.find import AUTO, find_pack, list_packs
from inference.models.licence import licence_file, licence_of
from inference.models.pack import Pack, load_pack


def show_packs(models_dir: Path | None, *, as_json: bool) -> None:
    """The packs that are found, the damaged ones with the reason, and which is the default."""
    quiet_logs()
    packs = [(folder, _loaded(folder)) for folder in list_packs(models_dir)]
    default = _default(models_dir)
    if as_json:
        print_json(
            [_row(folder, pack) | {"is_default": folder == default} for folder, pack in packs]
        )
        return
    if not packs:
        note("There are no packs. `facesearch models pull buffalo_l` fetches one.")
        return
    rows = table("pack", "", "version", "dim", "size", "licence", "folder")
    for folder, pack in packs:
        mark = "default" if folder == default else ""
        if isinstance(pack, PackError):
            what = ("[red]damaged[/]", "", "", "", escape(str(pack)))
            rows.add_row(escape(folder.name), mark, *what)
            continue
        rows.add_row(
            escape(pack.id),
            mark,
            escape(pack.version),
            str(pack.dim),
            f"{_bytes(pack) / 1e6:.0f} MB",
            escape(licence_of(pack)),
            escape(str(pack.folder)),
        )
    out().print(rows)


def show_pack(name: str, models_dir: Path | None, *, as_json: bool) -> None:
    """One pack. Raises PackError if there is none or it is damaged."""
    quiet_logs()
    pack = load_pack(find_pack(name, models_dir))
    facts = pack_facts(pack)
    if as_json:
        print_json(facts)
        return
    grid = Table.grid(padding=(0, 3))
    for fact, value in facts.items():
        lines = "\n".join(_lines(value)) if isinstance(value, dict | list) else str(value or "–")
        grid.add_row(f"[bold]{fact.replace('_', ' ')}[/]", escape(lines))
    out().print(grid)


def pack_facts(pack: Pack) -> dict[str, object]:
    """All about a pack, as JSON has it."""
    detector, recogniser = pack.detector_graph, pack.recogniser_graph
    text = licence_file(pack)
    return {
        "pack": pack.id,
        "version": pack.version,
        "folder": str(pack.folder),
        "detector": pack.detector.name,
        "detector_input": f"{detector.fixed_size}²" if detector.fixed_size else "any size",
        "recogniser": pack.recogniser.name,
        "dim": pack.dim,
        "space_id": pack.space_id,
        "digest": pack.digest,
        "files": dict(pack.sha256),
        "normalisation": {
            "detector": f"(x − {detector.normalisation.mean:g}) ÷ {detector.normalisation.std:g}",
            "recogniser": (
                f"(x − {recogniser.normalisation.mean:g}) ÷ {recogniser.normalisation.std:g}"
            ),
        },
        "thresholds": {f"FMR {one.false_match_rate:g}": one.threshold for one in pack.thresholds},
        "thresholds_from": pack.thresholds_from or None,
        "licence": licence_of(pack),
        "licence_file": str(text) if text is not None else None,
    }


def _row(folder: Path, pack: Pack | PackError) -> dict[str, object]:
    if isinstance(pack, PackError):
        return {"pack": folder.name, "folder": str(folder), "error": str(pack)}
    return {
        "pack": pack.id,
        "version": pack.version,
        "dim": pack.dim,
        "space_id": pack.space_id,
        "bytes": _bytes(pack),
        "folder": str(pack.folder),
        "licence": licence_of(pack),
        "error": None,
    }


def _default(models_dir: Path | None) -> Path | None:
    try:
        return find_pack(AUTO, models_dir)
    except PackError:
        return None  # packs elsewhere, but none in the folder that was named


def _loaded(folder: Path) -> Pack | PackError:
    try:
        return load_pack(folder)
    except PackError as error:
        return error


def _bytes(pack: Pack) -> int:
    return sum(file.stat().st_size for file in (pack.detector, pack.recogniser))


def _lines(value: dict[str, object] | list[object]) -> list[str]:
    if isinstance(value, dict):
        return [f"{name}: {inner}" for name, inner in value.items()] or ["–"]
    return [str(inner) for inner in value]
