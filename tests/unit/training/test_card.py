"""The model card: every figure from a measurement, none invented, none left out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import training
from training.card.card import card
from training.card.measured import Measured
from training.card.runs import TrainingRun
from training.card.tables import rare
from training.errors import TrainingError

Json = dict[str, Any]
RECORD = Path(training.__file__).with_name("record")
GROUPS = ("all", "age 0–5", "age 6–12", "adults", "female")


def evaluated(*, accuracy: float, differing: dict[str, str]) -> Json:
    """What training.evaluate writes of one pack."""
    return {
        "detection": {
            "images": 1801,
            "found": 0.9983,
            "extra": 0.01,
            "landmark_error": 0.021,
            "backgrounds": 60,
            "false_faces": 1,
        },
        "verification": {
            "pairs": 6000,
            "accuracy": accuracy,
            "accuracy_low": accuracy - 0.003,
            "accuracy_high": accuracy + 0.003,
            "accuracy_balanced": accuracy - 0.01,
            "tar": [0.975, 0.93, 0.85],
            "thresholds": [0.251, 0.333, 0.412],
            "rates": [1e-2, 1e-3, 1e-4],
            "genuine": 12345,
            "impostors": 1654321,
        },
        "photos": {
            "photos": 46,
            "differing": differing,
            "cases": {
                "masks": {"photos": 3, "differing": len(differing)},
                "others": {"photos": 43, "differing": 0},
            },
        },
    }


def prepared(name: str) -> Json:
    return {
        "source": name,
        "origin": f"where {name} is from",
        "licence": "research only",
        "images": 9021,
        "held_out": 1801,
        "people_held_out": 807 if name == "lfw" else 0,
    }


def timed(size: int) -> Json:
    network = {"file": "x.onnx", "bytes": size, "parameters": 1_890_000, "runtime": "openvino 1"}
    both = {"detector": network, "recogniser": network}
    return {"id": "starter", "version": "1.0.0", "dim": 512, **both}


class Documents:
    """The JSON of a card, on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.figures: Json = {
            "look": 320,
            "packs": {
                "somewhere/starter": evaluated(
                    accuracy=0.9832, differing={"mask.png": "0 found, 1 to 1 seen"}
                ),
                "elsewhere/mbf128": evaluated(accuracy=0.9919, differing={}),
            },
            "data": [prepared(name) for name in ("backgrounds", "lfw", "unused", "utkface")],
        }
        self.speed: Json = {
            "machine": {"cpu": "Some CPU", "cores": 2, "instructions": ["avx2"]},
            "threads": 1,
            "rounds": 100,
            "packs": {"starter": timed(3_500_000), "mbf128": timed(4_000_000)},
            "milliseconds": {"detect at 320²": {"starter": 3.3, "mbf128": 10.0}},
        }
        of_groups = dict(zip(GROUPS, (0.002, 0.12, 0.03, 0.001, 0.0), strict=True))
        self.groups: Json = {
            "source": "utkface",
            "target": 1e-3,
            "images": dict.fromkeys(GROUPS, 900),
            "packs": {
                name: {"threshold": 0.333, "false_match_rate": of_groups}
                for name in ("starter", "mbf128")
            },
        }
        self.state: Json = {
            "step": 200,
            "steps": 200,
            "samples": 25_600,
            "settings": {
                "seed": 9,
                "rate": 0.0012,
                "start": None,
                "sets": ["lfw", "utkface"],
                "weights": {"similarity": 20.0, "margin": 0.05},
            },
        }
        self.history: list[Json] = [
            {"step": 100, "samples_a_second": 1.0},
            {"step": 100, "accuracy": 0.9},
            {"step": 200, "samples_a_second": 2.0},
        ]

    def run(self) -> TrainingRun:
        (self._folder / "state.json").write_text(json.dumps(self.state))
        lines = [json.dumps(row) for row in self.history]
        (self._folder / "history.jsonl").write_text("\n".join(lines))
        return TrainingRun.read([self._folder])

    def card(
        self,
        *,
        template: str | None = None,
        recall: Json | None = None,
        runs: TrainingRun | None = None,
        straightener: TrainingRun | None = None,
    ) -> str:
        files = [self._folder / f"{name}.json" for name in ("figures", "speed", "groups")]
        for file, told in zip(files, (self.figures, self.speed, self.groups), strict=True):
            file.write_text(json.dumps(told))
        report = None
        if recall is not None:
            report = self._folder / "recall.json"
            report.write_text(json.dumps(recall))
        run = runs or self.run()
        measured = Measured.read(files[0], files[1], files[2], (run, run), report, straightener)
        return card(measured, trained_on="one core", template=template)


@pytest.fixture
def documents(tmp_path: Path) -> Documents:
    return Documents(tmp_path)


def test_every_place_of_the_template_is_filled(documents: Documents) -> None:
    text = documents.card()
    assert "$" not in text
    assert not re.search(r"\|\s*\|\s*\|\s*\|", text.replace("| | |\n|---|---|", ""))


def test_the_card_shows_both_packs_side_by_side(documents: Documents) -> None:
    text = documents.card()
    assert "| 98.32 % (98.02 % to 98.62 %) | 99.19 % (98.89 % to 99.49 %) |" in text
    assert "| detect at 320² | 3.30 ms | 10.00 ms | 0.33 |" in text
    assert "| masks | 3 | 1 | 0 |" in text
    assert "- `mask.png`: 0 found, 1 to 1 seen" in text
    assert "| 1e-03 | 0.333 | 93.00 % |" in text


def test_limits_carry_the_measured_rates(documents: Documents) -> None:
    text = documents.card()
    assert "taken for one person in 12 % of pairs" in text
    assert "adults in 0.1 %" in text
    assert "807 people of Labeled Faces in the Wild were held out" in text


def test_a_training_of_several_parts_tells_of_each(documents: Documents, tmp_path: Path) -> None:
    whole = documents.run()
    (tmp_path / "first").mkdir()
    earlier = dict(documents.state, step=100, samples=12_800)
    (tmp_path / "first" / "state.json").write_text(json.dumps(earlier))
    (tmp_path / "first" / "history.jsonl").write_text(json.dumps(documents.history[0]))
    parts = TrainingRun.read([tmp_path / "first", tmp_path])
    assert [part.steps for part in parts.earlier] == [100]  # wherever it was stopped
    assert parts.steps == whole.steps
    assert "| 100 + 200 | 100 + 200 |" in documents.card(runs=parts)


def test_a_network_before_the_recogniser_tells_what_it_learned(documents: Documents) -> None:
    assert "puts the crop straight" not in documents.card()
    documents.state["last_evaluation"] = {"pixels_before": 2.79, "pixels_off": 0.88}
    text = documents.card(straightener=documents.run())
    assert "say how 0.03 million crops had been moved" in text
    assert "2.8 of 112 pixels beside their place on average, it leaves 0.9" in text


def test_paths_of_the_machine_that_measured_do_not_get_into_the_card(documents: Documents) -> None:
    assert "somewhere" not in documents.card()


def test_only_sets_that_were_trained_on_are_listed(documents: Documents) -> None:
    text = documents.card()
    assert "| backgrounds | 9,021 |" in text
    assert "| utkface |" in text
    assert "unused" not in text


def test_hours_are_what_the_reported_speeds_make_of_the_steps(documents: Documents) -> None:
    # 128 images a step: 100 steps at 1 image a second, 100 at 2.
    assert documents.run().hours == pytest.approx((12_800 / 1 + 12_800 / 2) / 3600)


def test_hours_are_those_that_were_kept_where_reports_are_gone(documents: Documents) -> None:
    documents.state["hours"] = 4.5
    documents.history = []
    assert documents.run().hours == 4.5


@pytest.mark.parametrize("folder", sorted(RECORD.iterdir()), ids=lambda folder: folder.name)
def test_what_was_kept_of_the_trainings_of_the_starter_pack_can_be_read(folder: Path) -> None:
    (part,) = TrainingRun.read([folder, RECORD / "straightener"]).earlier
    assert min(part.steps, part.samples, part.hours) > 0
    assert part.setting("seed").whole()


def test_the_table_of_hard_cases_is_taken_as_it_was_measured(documents: Documents) -> None:
    assert "were not measured one by one" in documents.card()
    found = {"columns": ["case", "faces", "facesearch"], "rows": [["10 pixels", 48, 0.12]]}
    report = {"results": [{"benchmark": "recall", "tables": [found]}]}
    text = documents.card(recall=report)
    assert "| 10 pixels | 48 | 0.12 |" in text
    assert "were not measured one by one" not in text


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        ("figures", ("packs", "somewhere/starter", "verification", "accuracy_low"), "accuracy_low"),
        ("figures", ("packs", "elsewhere/mbf128", "photos", "cases", "masks"), "masks is missing"),
        ("figures", ("data",), "data is missing"),
        ("speed", ("milliseconds", "detect at 320²", "mbf128"), "detect at 320² → mbf128"),
        ("speed", ("machine", "cpu"), "speed.json → machine → cpu is missing"),
        ("groups", ("packs", "starter", "false_match_rate", "age 0–5"), "age 0–5 is missing"),
        ("state", ("settings", "seed"), "settings → seed is missing"),
    ],
)
def test_a_missing_figure_is_an_error_that_names_it(
    documents: Documents, document: str, path: tuple[str, ...], message: str
) -> None:
    inner = getattr(documents, document)
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    with pytest.raises(TrainingError, match=re.escape(message)):
        documents.card()


@pytest.mark.parametrize("value", [None, "0.98", True, float("nan")])
def test_what_is_no_number_is_an_error_that_names_it(documents: Documents, value: object) -> None:
    documents.figures["packs"]["somewhere/starter"]["verification"]["accuracy"] = value
    with pytest.raises(TrainingError, match="accuracy is not a number"):
        documents.card()


def test_figures_of_other_packs_are_refused(documents: Documents) -> None:
    documents.speed["packs"]["another"] = documents.speed["packs"].pop("starter")
    with pytest.raises(TrainingError, match="about another, mbf128, not about starter and mbf128"):
        documents.card()


def test_one_pack_alone_makes_no_card(documents: Documents) -> None:
    del documents.figures["packs"]["elsewhere/mbf128"]
    with pytest.raises(TrainingError, match="figures of 1 packs"):
        documents.card()


def test_a_training_that_was_stopped_makes_no_card(documents: Documents) -> None:
    documents.state["step"] = 150
    with pytest.raises(TrainingError, match="stopped at step 150 of 200"):
        documents.card()


def test_data_of_which_nothing_is_said_makes_no_card(documents: Documents) -> None:
    documents.state["settings"]["sets"].append("secret")
    with pytest.raises(TrainingError, match="about the data of secret"):
        documents.card()


def test_a_template_cannot_ask_for_what_nobody_measured(documents: Documents) -> None:
    with pytest.raises(TrainingError, match="the template asks for 'charm'"):
        documents.card(template="It has ${charm}.")


def test_small_shares_keep_two_digits_that_count() -> None:
    assert [rare(share) for share in (0.1234, 0.00123, 0.0)] == ["12 %", "0.12 %", "none"]
