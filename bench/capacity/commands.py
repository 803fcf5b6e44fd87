"""The commands of `python -m bench.capacity`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.capacity.against_report import compared_with
from bench.capacity.comparison import MAX_DIFFERENCE, Comparison
from bench.capacity.from_report import profile_of
from bench.capacity.kept import keep_comparison
from bench.capacity.measure import measured_profile
from bench.capacity.page import grid
from bench.capacity.plan import PAGE
from bench.capacity.plan import plan as make_plan
from bench.capacity.prices import Prices
from bench.capacity.profile import PROFILES, Profile
from bench.capacity.running import running
from bench.capacity.sizes import SIZES
from bench.capacity.validate import validate as make_validation
from bench.kit.result import Form, Result
from bench.kit.world import World, arguments, end_on_sigterm, main, world_of
from bench.load import tables
from bench.load.sizes import SIZES as LOAD_SIZES

_NAME = "capacity"
_BUSY_MACHINE = 0.1
"""Cores."""
_DESCRIPTION = "A model of the service, fed with measured times, against the service itself."


def benchmark() -> None:
    """Measure and validate, and report as every benchmark does."""
    main(_NAME, _DESCRIPTION, _both)


def measure(given: Sequence[str]) -> int:
    """Keep a profile of the pack."""
    parser = arguments(f"{_NAME} measure", "Service times of a pack on this machine.")
    parser.add_argument("--from-report", type=Path, help="take them from a report of bench.load")
    asked = parser.parse_args(given)
    world = world_of(asked)
    end_on_sigterm()
    if asked.from_report is not None:
        profile = profile_of(asked.from_report, world.pack.name)
    else:
        form = Form.FULL if asked.full else Form.SHORT
        with running(form, world) as service:
            profile, _ = measured_profile(form, world, service, SIZES[form], _say)
    file = asked.output or _kept(world)
    profile.save(file)
    _warn(profile)
    print(f"{profile.cpu_seconds * 1000:.1f} ms of CPU a search; written to {file}")
    return 0


def validate(given: Sequence[str]) -> int:
    """Compare, print, keep; 1 if the model is off by more than it may be."""
    parser = arguments(f"{_NAME} validate", "The model against what it models.")
    parser.add_argument("--against-report", type=Path, help="a report of bench.load")
    asked = parser.parse_args(given)
    world = world_of(asked)
    end_on_sigterm()
    if asked.against_report is not None:
        comparison = compared_with(asked.against_report, Profile.load(_kept(world)))
    else:
        form = Form.FULL if asked.full else Form.SHORT
        sizes, load = SIZES[form], LOAD_SIZES[form]
        with running(form, world) as service:
            # Taken anew: a machine that others use too is not the same at every hour.
            profile, quiet = measured_profile(form, world, service, sizes, _say)
            found = make_validation(profile, service, quiet, sizes, load, _say)
        comparison = found.comparison
        found.profile.save(_kept(world))
        _warn(found.profile)
    for table in comparison.tables():
        print(f"\n{table.title}\n\n{grid(table)}")
    print(f"\nwritten to {keep_comparison(world.pack.name, comparison)}")
    return _verdict(comparison)


def plan(given: Sequence[str]) -> int:
    """Print the tables of docs/capacity.md, or write them."""
    parser = argparse.ArgumentParser(
        f"python -m bench.{_NAME} plan",
        description="Pods, cost, scaling and vectors, by the model.",
    )
    parser.add_argument(
        "--vcpu-hour", type=float, default=Prices().vcpu, help="price [%(default)s]"
    )
    parser.add_argument("--gpu-hour", type=float, default=Prices().gpu, help="price [%(default)s]")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}, with its plots")
    asked = parser.parse_args(given)
    prices = Prices(asked.vcpu_hour, asked.gpu_hour)
    for name, block in make_plan(prices, _say, is_written=asked.write).items():
        print(f"\n{name}\n\n{block}")
    return 0


def _both(form: Form, world: World) -> Result:
    sizes, load = SIZES[form], LOAD_SIZES[form]
    with running(form, world) as service:
        profile, quiet = measured_profile(form, world, service, sizes, _say)
        found = make_validation(profile, service, quiet, sizes, load, _say)
    comparison, profile = found.comparison, found.profile
    return Result(
        _NAME,
        form,
        comparison.figures(),
        [
            *comparison.tables(),
            tables.steps_table("/search/: every rate that was tried", found.steps),
        ],
        [comparison.plot()],
        {
            "pack": profile.pack,
            "cores that others took at rest": round(profile.background.others, 3),
            "CPU ms of a search": round(profile.cpu_seconds * 1000, 2),
            "speed of a core while all are busy": round(profile.shared_speed, 3),
            "ms of a search that are nobody's CPU": round(profile.pauses * 1000, 2),
        },
    )


def _verdict(comparison: Comparison) -> int:
    if comparison.holds:
        return 0
    off = [
        f"{name}: {difference:.0%}"
        for name, difference in comparison.differences().items()
        if difference > MAX_DIFFERENCE
    ]
    print(f"off by more than {MAX_DIFFERENCE:.0%}: {', '.join(off)}", file=sys.stderr)
    return 1


def _warn(profile: Profile) -> None:
    others = profile.background.others
    if others > _BUSY_MACHINE:
        print(
            f"others took {others:.2f} cores while nothing was asked: these times are theirs too; "
            "measure again on an idle machine",
            file=sys.stderr,
        )


def _kept(world: World) -> Path:
    return PROFILES / f"{world.pack.name}.json"


def _say(step: str) -> None:
    print(f"  {step}", flush=True)
