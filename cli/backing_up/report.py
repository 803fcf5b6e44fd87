"""What a backup or a restore did, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping

from rich.markup import escape

from cli.backing_up.backup import BackupReport
from cli.backing_up.restore import RestoreReport
from cli.console import note, out, print_json
from storage.backups.manifest import Manifest


def print_backup(report: BackupReport, *, as_json: bool) -> None:
    """The figures, or the verdict with what was missing."""
    photos = report.photos
    if as_json:
        print_json(
            {
                **_facts(report.manifest),
                "folder": str(report.folder),
                "photos_copied": photos.copied,
                "photos_kept": photos.kept,
                "photos_removed": report.photos_removed,
                "bytes_copied": photos.copied_bytes,
                "seconds": report.seconds,
                "is_clean": report.is_clean,
            }
        )
        return
    console = out()
    console.print(f"{_what(report.manifest)} in {escape(str(report.folder))}")
    console.print(
        f"  {photos.copied:,} photos copied ({photos.copied_bytes / 1e6:,.1f} MB), "
        f"{photos.kept:,} were there, {report.photos_removed:,} removed; {report.seconds} s"
    )
    if lost := report.manifest.photos.lost:
        console.print(
            f"  [yellow]{len(lost):,}[/] photos whose bytes the base has lost, or that are damaged "
            "there: index them again"
        )
    if report.vectors_missing:
        console.print(
            f"  [yellow]{report.vectors_missing:,}[/] faces that no search of the base can find: "
            "`facesearch check --repair` mends them"
        )
    console.print("[green]✓ the backup is complete[/]")


def print_restore(report: RestoreReport, *, as_json: bool) -> None:
    """What is there now, and what comes next."""
    if as_json:
        facts = _facts(report.manifest)
        print_json(
            {
                **facts,
                "folder": str(report.folder),
                "is_restored": not report.is_check,
                "seconds": report.seconds,
            }
        )
        return
    verdict = "sound" if report.is_check else "restored"
    out().print(f"{_what(report.manifest)}; {report.seconds} s")
    out().print(f"[green]✓ the backup is {verdict}[/]")
    if not report.is_check:
        note("Start the service as before, with the same pack; the API keys are the old ones.")


def _what(manifest: Manifest) -> str:
    taken = manifest.taken_at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"{_photos(manifest):,} photos, {manifest.indexed_faces:,} indexed faces of {taken}"


def _photos(manifest: Manifest) -> int:
    return sum(table.rows for table in manifest.tables if table.name == "photos")


def _facts(manifest: Manifest) -> Mapping[str, object]:
    return {
        "id": manifest.id,
        "taken_at": manifest.taken_at.isoformat(),
        "facesearch": manifest.facesearch,
        "schema_version": manifest.schema_version,
        "photos": _photos(manifest),
        "faces": manifest.indexed_faces,
        "bytes": manifest.photos.bytes,
        "photos_lost": list(manifest.photos.lost),
        "vectors_missing": sum(space.missing for space in manifest.spaces),
        "spaces": [
            {
                "id": space.id,
                "pack": space.pack,
                "dim": space.dim,
                "is_active": space.is_active,
                "vectors": space.faces,
            }
            for space in manifest.spaces
        ],
    }
