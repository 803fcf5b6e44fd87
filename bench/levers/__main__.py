"""What each setting brings: `python -m bench.levers [--full]`.

Images a second of 16 callers and the latency of one, on selfies as a search looks at them.
"""

from __future__ import annotations

from bench.kit.figures import Figure
from bench.kit.photos import selfies, single_face
from bench.kit.processes import StartFailed, start_inference
from bench.kit.result import JSON, Cell, Form, Result, Table
from bench.kit.world import World, main
from bench.levers.comparison import Amount, Compared, compare
from bench.levers.levers import Lever, levers, written

_AMOUNTS = {
    Form.SHORT: Amount(rounds=3, images=48, images_alone=12),
    Form.FULL: Amount(rounds=7, images=240, images_alone=60),
}
_SELFIES = 60
_COLUMNS = [
    "lever",
    "before",
    "after",
    "images/s before",
    "after",
    "ratio",
    "p50 of one caller, ms before",
    "after",
    "CPU of an image, ms before",
    "after",
]


def measure(form: Form, world: World) -> Result:
    """Every lever by itself, all else as by default."""
    with start_inference(world) as service:
        photos = single_face(service, selfies(_SELFIES, folder=world.photos))
    figures: list[Figure] = []
    rows: list[list[Cell]] = []
    rounds: dict[str, JSON] = {}
    for lever in levers():
        print(f"  {lever.name}", flush=True)
        try:
            found = compare(world, lever, photos, _AMOUNTS[form])
        except StartFailed as error:
            # A runtime that is not installed, a precision that this CPU lacks.
            refusal = str(error).strip().splitlines()[-1]
            rows.append([*_named(lever), f"refused: {refusal}", *[""] * (len(_COLUMNS) - 4)])
            continue
        figures.append(Figure("", f"{lever.name}: images/s after / before", found.gain, "ratio"))
        rows.append([*_named(lever), *_measured(found)])
        rounds[lever.name] = {side: list(each) for side, each in found.rates.values.items()}
    title = f"Before and after, {len(photos)} selfies as a search looks at them"
    return Result(
        "levers", form, figures, [Table(title, _COLUMNS, rows)], details={"images/s": rounds}
    )


def _named(lever: Lever) -> list[Cell]:
    before, after = written(lever.before), written(lever.after)
    if lever.is_over_tcp_before:
        before, after = "127.0.0.1", "unix:"
    return [lever.name, before, after]


def _measured(found: Compared) -> list[Cell]:
    rates, latencies, cpu = found.rates, found.latencies, found.cpu_ms
    return [
        round(rates.median("before"), 1),
        round(rates.median("after"), 1),
        round(found.gain, 2),
        round(latencies["before"].p50 * 1000, 1),
        round(latencies["after"].p50 * 1000, 1),
        round(cpu["before"], 1),
        round(cpu["after"], 1),
    ]


if __name__ == "__main__":
    main("levers", "Before and after of every speed lever that is a setting.", measure)
