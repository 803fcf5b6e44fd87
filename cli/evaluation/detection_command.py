"""`facesearch eval detection` from the files to the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cli.errors import CommandError, ExitCode
from cli.evaluation.detection import measure_detection
from cli.evaluation.detection_report import DetectionOfPack, print_detection
from cli.evaluation.expected import open_backgrounds, photos_in, read_expected
from cli.evaluation.packs import opened, packs_to_measure
from cli.evaluation.threshold_report import Format
from cli.logs import quiet_logs
from cli.progress import progress


@dataclass(frozen=True, slots=True)
class DetectionSource:
    """What packs are measured on."""

    photos: Path
    expected: Path
    """JSON that says what a person sees on the photos."""
    backgrounds: Path | None
    """Folder or ZIP of photos that show no face."""


async def evaluate_detection(
    source: DetectionSource,
    asked: Sequence[str],
    models_dir: Path | None,
    *,
    fail_above: int | None,
    form: Format,
) -> None:
    """With each pack count the faces, and print. Raises UsageError or StartError.

    asked: packs, one after the other; none: the default one. fail_above: see `fail_if_above`.
    """
    quiet_logs()
    expected = read_expected(source.expected)
    photos = photos_in(source.photos, expected)
    packs = packs_to_measure(asked, models_dir)
    measured = []
    with open_backgrounds(source.backgrounds) as backgrounds:
        total = len(expected) + (0 if backgrounds is None else len(backgrounds.names))
        for pack in packs:
            async with opened(pack) as engine:
                with progress("photos") as bar:
                    counting = bar.add_task(f"{pack.title}: counting", total=total)
                    figures = await measure_detection(
                        engine, expected, photos, backgrounds, partial(bar.advance, counting)
                    )
            measured.append(DetectionOfPack(pack.title, engine.info, figures))
    print_detection(measured, form)
    if fail_above is not None:
        fail_if_above(fail_above, measured)


def fail_if_above(limit: int, measured: Sequence[DetectionOfPack]) -> None:
    """Raise CommandError (ATTENTION) if a pack's count differs on more of the upright photos."""
    counts = {pack.title: len(pack.figures.differing(is_turned=False)) for pack in measured}
    over = [f"{title}: {count}" for title, count in counts.items() if count > limit]
    if over:
        raise CommandError(
            f"another number of faces on more than {limit} photos ({', '.join(over)})",
            exit_code=ExitCode.ATTENTION,
        )
