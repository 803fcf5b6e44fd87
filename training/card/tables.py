"""Markdown tables of measured figures, the pack beside the one that it is compared with."""

from __future__ import annotations

from collections.abc import Sequence

from training.card.figures import Figure
from training.card.measured import Measured

MEGABYTE = 1e6


def percent(share: float, digits: int = 2) -> str:
    """``98.12 %``."""
    return f"{100 * share:.{digits}f} %"


def rare(share: float) -> str:
    """A small share by two digits that count: ``0.012 %``."""
    return f"{100 * share:.2g} %" if share else "none"


def accuracy(measured: Measured) -> str:
    """Faces found, people told apart, false faces."""
    columns = [_accuracy_cells(measured, name) for name in measured.names.both]
    rows = [[label, *(column[label] for column in columns)] for label in columns[0]]
    return table(["", *measured.names.both], rows)


def _accuracy_cells(measured: Measured, name: str) -> dict[str, str]:
    of_pack = measured.packs[name]
    see, tell, photos = (of_pack.at(part) for part in ("detection", "verification", "photos"))
    low, high = (tell.at(f"accuracy_{end}").number() for end in ("low", "high"))
    rates = zip(tell.at("rates").each(), tell.at("tar").each(), strict=True)
    look = measured.look.whole()
    return {
        f"accuracy, {tell.at('pairs').whole():,} pairs (95 % interval)": (
            f"{percent(tell.at('accuracy').number())} ({percent(low)} to {percent(high)})"
        ),
        "the same, people taken in turns": percent(tell.at("accuracy_balanced").number()),
        **{f"TAR at FMR {rate.number():.0e}": percent(tar.number()) for rate, tar in rates},
        f"face found, {see.at('images').whole():,} images, one look of {look}²": percent(
            see.at("found").number()
        ),
        "landmarks off, as a share of the face's side": percent(see.at("landmark_error").number()),
        f"false faces, {see.at('backgrounds').whole()} photos without any": str(
            see.at("false_faces").whole()
        ),
        f"another number of faces than a person counts, {photos.at('photos').whole()} photos": str(
            len(photos.at("differing").items())
        ),
    }


def thresholds(measured: Measured) -> str:
    """The pack's own, and what they let through."""
    tell = measured.packs[measured.names.pack].at("verification")
    columns = (tell.at(key).each() for key in ("rates", "thresholds", "tar"))
    rows = [
        [f"{rate.number():.0e}", f"{threshold.number():.3f}", percent(tar.number())]
        for rate, threshold, tar in zip(*columns, strict=True)
    ]
    return table(["FMR", "threshold", "TAR"], rows)


def groups(measured: Measured) -> str:
    """False matches by age, sex and race label."""
    images = measured.groups.at("images").items()
    rows = [
        [
            group,
            f"{count.whole():,}",
            *(rare(false_match_rate(measured, name, group)) for name in measured.names.both),
        ]
        for group, count in images.items()
    ]
    return table(["group", "faces", *measured.names.both], rows)


def false_match_rate(measured: Measured, pack: str, group: str) -> float:
    """Of pairs within a group, at the pack's threshold for everyone."""
    return measured.groups.at("packs", pack, "false_match_rate", group).number()


def cases(measured: Measured) -> str:
    """Photos with another number of faces than a person counts, by what is special about them."""
    pack, reference = (measured.packs[name].at("photos", "cases") for name in measured.names.both)
    rows = [
        [
            case,
            str(found.at("photos").whole()),
            str(found.at("differing").whole()),
            str(reference.at(case, "differing").whole()),
        ]
        for case, found in pack.items().items()
    ]
    return table(["case", "photos", *measured.names.both], rows)


def differing(measured: Measured) -> str:
    """The photos that the pack gets wrong, one a line."""
    wrong = measured.packs[measured.names.pack].at("photos", "differing").items()
    return "\n".join(f"- `{file}`: {how.text()}" for file, how in wrong.items()) or "None does."


def speed(measured: Measured) -> str:
    """Milliseconds."""
    rows = []
    for call, times in measured.speed.at("milliseconds").items().items():
        own, its = (times.at(name).number() for name in measured.names.both)
        rows.append([call, f"{own:.2f} ms", f"{its:.2f} ms", f"{own / its:.2f}"])
    return table(["", *measured.names.both, "ratio"], rows)


def sizes(measured: Measured) -> str:
    """Files and parameters."""
    rows = [
        [what, *(_size(measured.speed.at("packs", name, what)) for name in measured.names.both)]
        for what in ("detector", "recogniser")
    ]
    dims = (measured.speed.at("packs", name, "dim").whole() for name in measured.names.both)
    return table(["", *measured.names.both], [*rows, ["values of an embedding", *map(str, dims)]])


def _size(network: Figure) -> str:
    millions = network.at("parameters").whole() / 1e6
    return f"{millions:.2f} million parameters, {network.at('bytes').whole() / MEGABYTE:.1f} MB"


def data(measured: Measured) -> str:
    """The images, by set."""
    rows = [
        [
            one.at("source").text(),
            f"{one.at('images').whole():,}",
            f"{one.at('held_out').whole():,}",
            one.at("origin").text(),
            one.at("licence").text(),
        ]
        for one in measured.data
    ]
    return table(["set", "images", "of them held out", "origin", "licence"], rows)


def recall(found: Figure) -> str:
    """What ``bench.recall`` found, as it wrote it."""
    columns = [one.text() for one in found.at("columns").each()]
    rows = [[str(cell.value) for cell in row.each()] for row in found.at("rows").each()]
    return table(columns, rows)


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
