"""The card's text: ``template.md`` with every figure in its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template

from training.card import tables
from training.card.measured import Measured
from training.card.runs import TrainingRun
from training.card.tables import percent, rare
from training.errors import TrainingError

TEMPLATE = Path(__file__).with_name("template.md")
SMALL_CHILDREN, CHILDREN, ADULTS = "age 0–5", "age 6–12", "adults"
PARTS = (
    " It was trained in parts. Each began with the weights of one before, and often showed "
    "what those took for a face where there is none. What is exported is the mean of the last "
    "parts' weights, its scores moved so that 0.5 divides faces from the rest."
)
MEAN = " What is exported is the mean of the last part's weights and of those that it began with."
"""Of a recogniser whose kept record says so: `training.export --mean-with`."""
STRAIGHTENER = (
    " Before it, in the same file, a small network puts the crop straight. It learned, in "
    "{hours:.1f} hours, to say how {samples:.2f} million crops had been moved: on crops of people "
    "held out, whose landmarks lie {before:.1f} of 112 pixels beside their place on average, it "
    "leaves {after:.1f}."
)
RECALL = (
    "Faces found of those that are there, by `bench.recall`: a box lies on the face, and its "
    "landmarks stand as it does. FaceAnalysis is InsightFace's own, on the same pack.\n\n"
)
NO_RECALL = (
    "Small, turned, frame-filling, blurred and dark faces were not measured one by one for this "
    "card (`python -m bench.recall --full` does so, and `--recall` puts its table here)."
)


def card(measured: Measured, *, trained_on: str, template: str | None = None) -> str:
    """The page. trained_on: the machine of the trainings, in words.

    Raises TrainingError: a figure is missing, or the template asks for one that nothing measures.
    """
    text = TEMPLATE.read_text(encoding="utf-8") if template is None else template
    try:
        return Template(text).substitute(_values(measured), trained_on=trained_on)
    except KeyError as error:
        raise TrainingError(f"the template asks for {error}, which nothing measures") from error


def _values(measured: Measured) -> dict[str, str]:
    return {
        **_about(measured),
        **_accuracy(measured),
        **_groups(measured),
        **_training(measured),
        "speed_table": tables.speed(measured),
        "size_table": tables.sizes(measured),
        "data_table": tables.data(measured),
        "recall": NO_RECALL if measured.recall is None else RECALL + tables.recall(measured.recall),
    }


def _about(measured: Measured) -> dict[str, str]:
    names, speed = measured.names, measured.speed
    own, machine = speed.at("packs", names.pack), speed.at("machine")
    networks = [own.at(what) for what in ("detector", "recogniser")]
    return {
        "pack": names.pack,
        "reference": names.reference,
        "version": own.at("version").text(),
        "dim": str(own.at("dim").whole()),
        "megabytes": f"{sum(one.at('bytes').whole() for one in networks) / tables.MEGABYTE:.1f}",
        "runtime": " and ".join(sorted({one.at("runtime").text() for one in networks})),
        "cpu": machine.at("cpu").text(),
        "instructions": ", ".join(one.text() for one in machine.at("instructions").each()),
        "rounds": str(speed.at("rounds").whole()),
    }


def _accuracy(measured: Measured) -> dict[str, str]:
    of_pack = measured.packs[measured.names.pack]
    tell, see = of_pack.at("verification"), of_pack.at("detection")
    photos = of_pack.at("photos")
    return {
        "accuracy": percent(tell.at("accuracy").number()),
        "accuracy_low": percent(tell.at("accuracy_low").number()),
        "accuracy_high": percent(tell.at("accuracy_high").number()),
        "genuine": f"{tell.at('genuine').whole():,}",
        "impostors": f"{tell.at('impostors').whole():,}",
        "pairs": f"{tell.at('pairs').whole():,}",
        "people_held_out": f"{sum(one.at('people_held_out').whole() for one in measured.data):,}",
        "look": str(measured.look.whole()),
        "backgrounds": str(see.at("backgrounds").whole()),
        "false_faces": str(see.at("false_faces").whole()),
        "photos": str(photos.at("photos").whole()),
        "photos_differing": str(len(photos.at("differing").items())),
        "accuracy_table": tables.accuracy(measured),
        "threshold_table": tables.thresholds(measured),
        "case_table": tables.cases(measured),
        "differing_list": tables.differing(measured),
    }


def _groups(measured: Measured) -> dict[str, str]:
    pack = measured.names.pack
    small, children, adults = (
        tables.false_match_rate(measured, pack, group)
        for group in (SMALL_CHILDREN, CHILDREN, ADULTS)
    )
    return {
        "group_table": tables.groups(measured),
        "group_target": rare(measured.groups.at("target").number()),
        "group_source": measured.groups.at("source").text(),
        "group_threshold": f"{measured.groups.at('packs', pack, 'threshold').number():.3f}",
        "small_children": rare(small),
        "children": rare(children),
        "adults": rare(adults),
    }


def _training(measured: Measured) -> dict[str, str]:
    face, box = measured.recogniser, measured.detector
    first = [*face.earlier, face][0]
    is_from_scratch = first.setting("start").value is None
    return {
        "start": "noise" if is_from_scratch else "the smaller student-0, trained in the same way",
        "similarity_weight": f"{face.setting('weights', 'similarity').number():g}",
        "margin_weight": f"{face.setting('weights', 'margin').number():g}",
        "recogniser_mean": MEAN if "is_mean_with_start" in face.state.items() else "",
        "straightener": _straightener(measured.straightener),
        "detector_parts": PARTS if box.earlier else "",
        **_parts("recogniser", [*face.earlier, face]),
        **_parts("detector", [*box.earlier, box]),
    }


def _straightener(run: TrainingRun | None) -> str:
    if run is None:
        return ""
    evaluated = run.state.at("last_evaluation")
    return STRAIGHTENER.format(
        hours=run.hours,
        samples=run.samples / 1e6,
        before=evaluated.at("pixels_before").number(),
        after=evaluated.at("pixels_off").number(),
    )


def _parts(network: str, parts: Sequence[TrainingRun]) -> dict[str, str]:
    return {
        f"{network}_samples": " + ".join(f"{part.samples / 1e6:.2f} million" for part in parts),
        f"{network}_steps": " + ".join(f"{part.steps:,}" for part in parts),
        f"{network}_hours": " + ".join(f"{part.hours:.1f}" for part in parts),
        f"{network}_seed": ", ".join(f"{part.setting('seed').whole()}" for part in parts),
        f"{network}_rate": ", ".join(f"{part.setting('rate').number():g}" for part in parts),
    }
