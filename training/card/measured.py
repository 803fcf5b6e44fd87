"""What a card is filled from: the JSON of the evaluations and the records of the trainings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from training.card.figures import Figure
from training.card.runs import TrainingRun
from training.errors import TrainingError

BACKGROUNDS = "backgrounds"
"""Every detector is trained with this set."""


@dataclass(frozen=True, slots=True)
class Names:
    """The two packs that stand side by side."""

    pack: str
    reference: str

    @property
    def both(self) -> tuple[str, str]:
        return (self.pack, self.reference)


@dataclass(frozen=True, slots=True)
class Measured:
    """All figures of one card. `read` has made sure that they are of the same two packs."""

    names: Names
    data: list[Figure]
    """The prepared sets."""
    look: Figure
    packs: Mapping[str, Figure]
    """Detection, verification and photos, by pack."""
    speed: Figure
    groups: Figure
    recall: Figure | None
    """The table of ``bench.recall`` for this pack."""
    recogniser: TrainingRun
    detector: TrainingRun
    straightener: TrainingRun | None = None
    """Of the network before the recogniser, if there is one."""

    @classmethod
    def read(
        cls,
        figures: Path,
        speed: Path,
        groups: Path,
        runs: tuple[TrainingRun, TrainingRun],
        recall: Path | None = None,
        straightener: TrainingRun | None = None,
    ) -> Measured:
        """Read the files.

        figures, speed, groups: written by ``training.evaluate``, ``.speed`` and ``.groups``, the
        pack before the reference. runs: of the recogniser and of the detector. Raises
        TrainingError: a file that cannot be read, or figures of other packs.
        """
        evaluated = Figure.read(figures)
        packs = {Path(name).name: one for name, one in evaluated.at("packs").items().items()}
        if len(packs) != 2:
            raise TrainingError(
                f"{figures}: figures of {len(packs)} packs ({', '.join(packs)}); a card takes two, "
                "the pack and one to compare it with, in folders of different names"
            )
        names = Names(*packs)
        timed, grouped = Figure.read(speed), Figure.read(groups)
        for one in (timed, grouped):
            others = set(one.at("packs").items())
            if not others >= set(names.both):
                raise TrainingError(
                    f"{one.place} is about {', '.join(sorted(others))}, not about "
                    f"{' and '.join(names.both)}"
                )
        recogniser, detector = runs
        return cls(
            names=names,
            data=_trained_on(evaluated.at("data").each(), runs),
            look=evaluated.at("look"),
            packs=packs,
            speed=timed,
            groups=grouped,
            recall=None if recall is None else _recall_table(Figure.read(recall)),
            recogniser=recogniser,
            detector=detector,
            straightener=straightener,
        )


def _trained_on(data: list[Figure], runs: Iterable[TrainingRun]) -> list[Figure]:
    """The sets that were used, in their order: more may lie prepared."""
    by_name = {one.at("source").text(): one for one in data}
    used = {BACKGROUNDS} | {name.text() for run in runs for name in run.sets}
    if unknown := used - by_name.keys():
        raise TrainingError(f"nothing is said about the data of {', '.join(sorted(unknown))}")
    return [one for name, one in by_name.items() if name in used]


def _recall_table(report: Figure) -> Figure:
    for result in report.at("results").each():
        if result.at("benchmark").text() == "recall":
            return result.at("tables").each()[0]
    raise TrainingError(f"{report.place} holds no result of bench.recall")
