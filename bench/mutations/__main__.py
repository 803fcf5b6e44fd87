"""Damaged images over HTTP: no 5xx, no crash, none slower than the deadline.

    python -m bench.mutations [--full] [--count N] [--seed N] [--first NUMBER]

Small real images in every form, damaged in one to three ways each, go to `/search/` and
`/detect_faces/` of an edge over an inference server. Image number n of a seed is always the same.
What did not get the answer it should is written to `bench/results/mutations-<form>/`, with how to
make it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from bench.kit import process_tree
from bench.kit.facesearch import Facesearch, facesearch
from bench.kit.result import Form, Result
from bench.kit.world import RESULTS, World, arguments, run
from bench.mutations import findings
from bench.mutations.mutation import mutation
from bench.mutations.originals import originals
from bench.mutations.sending import OK, send_all

NAME = "mutations"
_COUNTS = {Form.SHORT: 5_000, Form.FULL: 100_000}
_SEED = 20261121


class OriginalsRefused(Exception):
    """An image that nothing was done to is refused: the answers to others would say nothing."""


@dataclass(frozen=True, slots=True)
class Series:
    """Which images are sent."""

    seed: int
    first: int
    count: int | None
    """None: what the form asks for."""

    def measure(self, form: Form, world: World) -> Result:
        """All of them. Raises NoPictures, StartFailed, OriginalsRefused."""
        count = self.count or _COUNTS[form]
        whole = originals(world.photos)
        make = partial(mutation, self.seed, originals=whole)
        with facesearch(world) as services:
            before = _processes(services)
            outcomes = send_all(
                services.edge,
                range(self.first, self.first + count),
                make,
                lambda: _processes(services) == before,
            )
            crashes = len(before - _processes(services))
        answered = {one.mutation.original for one in outcomes if one.status == OK}
        if not answered:
            raise OriginalsRefused("not one image was answered 200; name others with --photos")
        folder = RESULTS / f"{NAME}-{form}"
        if kept := findings.keep_failures(outcomes, self.seed, folder):
            print(f"{kept} images that did not get what they should are in {folder}")
        return Result(
            NAME,
            form,
            findings.figures(outcomes, crashes, count),
            findings.tables(outcomes),
            details={"seed": self.seed, "first": self.first, "originals": [o.name for o in whole]},
        )


def _processes(services: Facesearch) -> set[int]:
    """Of both, those that run."""
    pids = (services.inference.pid, services.edge.pid)
    return {one for pid in pids for one in process_tree.tree(pid) if process_tree.is_running(one)}


def main() -> None:
    """Parse, send, report."""
    parser = arguments(NAME, "Damaged images over HTTP.")
    parser.add_argument("--count", type=int, help="how many images [by the form]")
    parser.add_argument("--seed", type=int, default=_SEED)
    parser.add_argument("--first", type=int, default=0, help="number of the first image [0]")
    asked = parser.parse_args()
    run(NAME, asked, Series(asked.seed, asked.first, asked.count).measure)


if __name__ == "__main__":
    main()
