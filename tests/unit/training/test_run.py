"""Stopping and going on."""

import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs PyTorch, which is no dependency")

from training.errors import TrainingError  # noqa: E402
from training.loop.checkpoint import State  # noqa: E402
from training.loop.history import History  # noqa: E402
from training.loop.run import Plan, run  # noqa: E402
from training.loop.schedule import Schedule  # noqa: E402
from training.loop.stop import Stop  # noqa: E402

PLAN = Plan(steps=20, report_every=5, evaluate_every=10)


class Line:
    """Fits a line with AdamW: its moments are part of the state."""

    samples_a_step = 4

    def __init__(self, stop_at: int | None = None) -> None:
        torch.manual_seed(1)
        self.network = torch.nn.Linear(3, 1)
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=0.1)
        self.stop_at = stop_at

    def step(self, number: int) -> Mapping[str, float]:
        if number == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        x = torch.randn(4, 3, generator=torch.Generator().manual_seed(number))
        loss = (self.network(x) - x.sum(1, keepdim=True)).square().mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return {"loss": loss.item()}

    def evaluate(self) -> Mapping[str, float]:
        return {"accuracy": 0.5}

    def state(self) -> State:
        return {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}

    def restore(self, state: State) -> None:
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])


def test_a_run_stopped_by_sigterm_goes_on_exactly(tmp_path: Path) -> None:
    whole = Line()
    run(whole, tmp_path / "whole", PLAN, Stop(), {"seed": 1})

    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        stop = Stop()
        stop.listen()
        assert run(Line(stop_at=7), tmp_path / "parts", PLAN, stop, {"seed": 1}) == 8
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    resumed = Line()
    assert run(resumed, tmp_path / "parts", PLAN, Stop(), {"seed": 1}) == 20

    assert torch.equal(whole.network.weight, resumed.network.weight)
    state = json.loads((tmp_path / "parts" / "state.json").read_text())
    assert state["is_done"]
    assert state["samples"] == 80
    assert state["last_evaluation"] == {"step": 20, "accuracy": 0.5}
    rows = History(tmp_path / "parts" / "history.jsonl").rows()
    assert [row["step"] for row in rows if "loss" in row] == [5, 10, 15, 20]


def test_other_settings_are_refused_instead_of_mixed(tmp_path: Path) -> None:
    run(Line(), tmp_path / "run", Plan(steps=2), Stop(), {"seed": 1})
    with pytest.raises(TrainingError, match="other settings"):
        run(Line(), tmp_path / "run", Plan(steps=4), Stop(), {"seed": 2})


def test_the_rate_rises_then_falls_to_its_floor() -> None:
    schedule = Schedule(steps=100, peak=1.0, warmup=10, floor=0.1)
    rates = [schedule.rate(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[11:] == sorted(rates[11:], reverse=True)
    assert rates[100] == pytest.approx(0.1)
