"""P8: a 12-megapixel JPEG down to what the detector needs, and that it finds the same faces so.

    python -m bench.decode [--full] [--pack DIR] [--photos DIR]

Time from the bytes to the input of a 640² look on one thread, against a full decode and resize with
Pillow; baseline and progressive files. Then the boxes and counts of two servers, one of which
decodes in full (INFERENCE_REDUCED_DECODE=false).
"""

from __future__ import annotations

from bench.decode.boxes import Agreement, agreement
from bench.decode.files import Encoding, twelve_megapixels
from bench.decode.ways import SIDES, milliseconds
from bench.kit.analyze import Policy, analyses
from bench.kit.figures import Figure
from bench.kit.processes import start_inference
from bench.kit.result import Form, Result, Table
from bench.kit.rounds import ROUND_COLUMNS, Rounds, alternate
from bench.kit.world import World, main

PHOTOS = {Form.SHORT: 3, Form.FULL: 8}
ROUNDS = {Form.SHORT: 5, Form.FULL: 15}
TARGET_RATIO = 3.0
TARGET_IOU = 0.95


def measure(form: Form, world: World) -> Result:
    """Rounds of every way in turns, then both servers on the same photos."""
    sets = {
        encoding: twelve_megapixels(PHOTOS[form], encoding, world.photos) for encoding in Encoding
    }
    rounds = {
        encoding: alternate(
            {name: milliseconds(way, photos) for name, way in SIDES.items()}, ROUNDS[form]
        )
        for encoding, photos in sets.items()
    }
    return _result(form, rounds, _compared(world, sets[Encoding.BASELINE]))


def _compared(world: World, photos: list[bytes]) -> dict[Policy, Agreement]:
    with (
        start_inference(world, INFERENCE_REDUCED_DECODE="true") as reducing,
        start_inference(world, INFERENCE_REDUCED_DECODE="false") as in_full,
    ):
        return {
            policy: agreement(
                analyses(reducing.address, photos, policy),
                analyses(in_full.address, photos, policy),
            )
            for policy in Policy
        }


def _result(
    form: Form, rounds: dict[Encoding, Rounds], compared: dict[Policy, Agreement]
) -> Result:
    pillow, ours = "Pillow in full, resized", "reduced"
    return Result(
        benchmark="decode",
        form=form,
        figures=[
            Figure(
                "P8",
                f"{encoding} JPEG of 12 megapixels to a 640² look: {pillow} / {ours}",
                one.ratio(pillow, ours),
                "ratio",
                # A progressive file takes as long to read as to decode, whoever reads it.
                TARGET_RATIO if encoding is Encoding.BASELINE else None,
                is_guarded=encoding is Encoding.BASELINE,
            )
            for encoding, one in rounds.items()
        ]
        + [
            Figure(
                "P8",
                f"lowest IoU with boxes of a full decode, {policy}",
                one.lowest_iou,
                "IoU",
                TARGET_IOU,
            )
            for policy, one in compared.items()
        ]
        + [
            Figure(
                "P8",
                f"photos with another count than a full decode gives, {policy}",
                one.other_counts,
                "photos",
                0.0,
                better="lower",
            )
            for policy, one in compared.items()
        ],
        tables=[
            Table(f"{encoding} JPEG, milliseconds", list(ROUND_COLUMNS), one.rows())
            for encoding, one in rounds.items()
        ],
        details={
            **{str(encoding): one.to_json() for encoding, one in rounds.items()},
            "faces_compared": {str(policy): one.faces for policy, one in compared.items()},
        },
    )


if __name__ == "__main__":
    main("decode", __doc__ or "", measure)
