"""One run of a training: steps, reports, evaluations, checkpoints, until done or stopped."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from training.errors import TrainingError
from training.loop import checkpoint
from training.loop.history import History, plot
from training.loop.stop import Stop

EVALUATED = frozenset({"accuracy", "recall", "pixels_off"})
"""Figures that only an evaluation has: one of them is in its row of the history."""


class Task(Protocol):
    """What is trained. A step may depend on nothing but the state and its own number."""

    samples_a_step: int

    def step(self, number: int) -> Mapping[str, float]:
        """Take one step and say its losses."""
        ...

    def evaluate(self) -> Mapping[str, float]:
        """Figures on data held out."""
        ...

    def state(self) -> checkpoint.State:
        """All that a later run needs to go on exactly."""
        ...

    def restore(self, state: checkpoint.State) -> None:
        """Go on from a state."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, and how often what is done."""

    steps: int
    until: int | None = None
    """Stop here, before the end: for a first part on whose weights another training goes on."""
    report_every: int = 50
    evaluate_every: int = 1000
    checkpoint_seconds: float = 180.0


def run(task: Task, folder: Path, plan: Plan, stop: Stop, settings: Mapping[str, object]) -> int:
    """Train from the last checkpoint in a folder to the end of the plan, or until stopped.

    Returns the number of steps done in all. settings: kept beside the checkpoint; a run with others
    is refused with TrainingError, for it would not go on but start something new. Files of the
    folder: last.pt, state.json, history.jsonl, history.png.
    """
    folder.mkdir(parents=True, exist_ok=True)
    history = History(folder / "history.jsonl")
    step = _resume(task, folder, settings)
    history.rewind(step)
    console = Console(file=sys.stdout, soft_wrap=True)
    losses: dict[str, list[float]] = defaultdict(list)
    latest: dict[str, float] = {}
    evaluated: dict[str, float] = next(
        (row for row in reversed(history.rows()) if EVALUATED.intersection(row)), {}
    )

    def keep() -> None:
        checkpoint.save(
            {"step": step, "settings": dict(settings), **task.state()}, folder / "last.pt"
        )
        checkpoint.write_json(
            {
                "step": step,
                "steps": plan.steps,
                "samples": step * task.samples_a_step,
                "is_done": step >= plan.steps,
                "losses": latest,
                "last_evaluation": evaluated,
                "settings": dict(settings),
            },
            folder / "state.json",
        )
        if rows := history.rows():
            plot(rows, folder / "history.png")

    def evaluate() -> None:
        evaluated.clear()
        evaluated.update({"step": step, **task.evaluate()})
        history.add(step, {k: v for k, v in evaluated.items() if k != "step"})
        console.print(f"step {step:,}: " + _line(evaluated))

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,}/{task.total:,}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not sys.stdout.isatty()) as progress:
        bar = progress.add_task(folder.name, total=plan.steps, completed=step)
        kept = began = time.monotonic()
        since = step
        end = plan.steps if plan.until is None else min(plan.steps, plan.until)
        while step < end and not stop.is_due():
            for name, value in task.step(step).items():
                losses[name].append(value)
            step += 1
            progress.update(bar, completed=step)
            if step % plan.report_every == 0:
                now = time.monotonic()
                latest = {name: sum(all_) / len(all_) for name, all_ in losses.items()}
                latest["samples_a_second"] = (step - since) * task.samples_a_step / (now - began)
                began, since = now, step
                losses.clear()
                history.add(step, latest)
                console.print(f"step {step:,}/{plan.steps:,}: " + _line(latest))
            if step % plan.evaluate_every == 0 or step == plan.steps:
                evaluate()
            if time.monotonic() - kept >= plan.checkpoint_seconds:
                keep()
                kept = time.monotonic()
    keep()
    console.print(
        f"{'done' if step >= plan.steps else 'stopped'} at step {step:,}, checkpoint kept"
    )
    return step


def _resume(task: Task, folder: Path, settings: Mapping[str, object]) -> int:
    state = checkpoint.load(folder / "last.pt")
    if state is None:
        return 0
    kept, step = state.pop("settings"), state.pop("step")
    if kept != dict(settings) or not isinstance(step, int):
        raise TrainingError(
            f"{folder} was trained with other settings ({kept}); give the same ones, or another "
            "folder with --name"
        )
    task.restore(state)
    return step


def _line(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items() if name != "step")
