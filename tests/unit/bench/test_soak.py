"""Soaks: when faults come, when the rate is full again, what counts as flat, what a disk does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench.kit.result import Form, Plot, Result
from bench.soak import timeline
from bench.soak.faults import Fault, Kind, Pace, schedule
from bench.soak.growth import growth, highest
from bench.soak.journal import Journal, Verdict, Writing
from bench.soak.plan import Plan
from bench.soak.recovery import Happened, back_to_full_rate, unexplained
from bench.soak.supervised import Life
from bench.soak.traffic import REFUSALS
from edge.problems import KINDS

HOUR = Pace(first=60, every=120, shortest=3, longest=8, quiet=60)


def journal(verdicts: list[Verdict], rate: float = 10.0) -> Journal:
    """Requests at a constant rate from time 0, each answered 50 ms after it was due."""
    writing = Writing()
    for number, verdict in enumerate(verdicts):
        writing.due.append(number / rate)
        writing.sent.append(number / rate)
        writing.done.append(number / rate + 0.05)
        writing.verdict.append(verdict)
        writing.operation.append("search")
        writing.answer.append("200 ok" if verdict is Verdict.RIGHT else "429 overloaded")
    return Journal.of(writing, rate)


def happened(kind: Kind, begun: float, undone: float) -> Happened:
    return Happened(Fault(begun, kind, undone - begun, 0), "victim", begun, undone)


def test_an_hour_has_a_fault_every_two_minutes_and_every_kind_several_times() -> None:
    faults = schedule(HOUR, 3600, seed=1, kinds=list(Kind))
    assert [fault.at for fault in faults] == [60 + 120 * n for n in range(30)]
    counts = Counter(fault.kind for fault in faults)
    assert set(counts) == set(Kind)
    assert max(counts.values()) - min(counts.values()) <= 1
    assert all(fault.lasts == 0 or 3 <= fault.lasts <= 8 for fault in faults)
    assert faults[-1].at <= 3600 - HOUR.quiet


def test_a_seed_gives_the_same_faults_again_and_another_gives_others() -> None:
    first, again, other = (schedule(HOUR, 3600, seed, list(Kind)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_too_short_a_load_has_no_fault() -> None:
    assert schedule(HOUR, 30, 1, list(Kind)) == []


def test_the_rate_is_full_from_the_first_window_that_is_all_right() -> None:
    outage = [Verdict.RIGHT] * 50 + [Verdict.REFUSED] * 40 + [Verdict.RIGHT] * 100
    back = back_to_full_rate(journal(outage), happened(Kind.STORE_AWAY, 5.0, 7.0), until=19.0)
    assert back.is_back
    assert back.seconds == pytest.approx(2.0, abs=0.11)


def test_a_rate_that_is_not_full_before_the_next_fault_is_not_back() -> None:
    broken = [Verdict.RIGHT, Verdict.REFUSED] * 100
    back = back_to_full_rate(journal(broken), happened(Kind.STORE_AWAY, 5.0, 7.0), until=19.0)
    assert not back.is_back
    assert back.seconds == 12.0


def test_an_answer_may_be_missing_only_around_a_fault_of_the_edge() -> None:
    verdicts = [Verdict.RIGHT] * 300
    verdicts[20] = verdicts[55] = verdicts[290] = Verdict.NO_ANSWER
    seen = journal(verdicts)
    assert unexplained(seen, [happened(Kind.EDGE_KILLED, 5.0, 5.1)]) == 2
    assert unexplained(seen, [happened(Kind.STORE_AWAY, 5.0, 5.1)]) == 3


def test_a_journal_comes_back_from_its_file_in_the_order_of_what_was_due(tmp_path: Path) -> None:
    writing = Writing([2.0, 1.0], [2.1, 1.1], [3.0, 1.2], [3, 0], ["b", "a"], ["x", "y"], ["why"])
    Journal.of(writing, 5.0).save(tmp_path / "journal.npz")
    read = Journal.load(tmp_path / "journal.npz")
    assert read.due.tolist() == [1.0, 2.0]
    assert (read.operation, read.answer, read.faults) == (["a", "b"], ["y", "x"], ["why"])
    assert read.rate == 5.0
    assert read.count(Verdict.WRONG) == 1


def test_memory_grows_by_what_the_longest_life_gained_once_it_was_warm() -> None:
    warming = [(float(second), 50 + second) for second in range(100)]
    climbing = [(100.0 + second, 200 + second // 10) for second in range(200)]
    measured = growth([Life(list(warming)), Life(warming + climbing)], warm_up_seconds=100)
    assert measured is not None
    assert measured.seconds == 199
    assert measured.fraction == pytest.approx(0.09, abs=0.01)
    assert growth([Life(list(warming))], warm_up_seconds=100) is None
    assert growth([], warm_up_seconds=0) is None
    assert highest([Life(warming), Life()]) == 149


def test_a_timeline_shows_every_answer_and_shades_the_faults() -> None:
    verdicts = [Verdict.RIGHT] * 50 + [Verdict.REFUSED] * 50
    fault = happened(Kind.SLOW_DISK, 5.0, 7.0)
    answers, waits, memory = timeline.plots(
        journal(verdicts), 0.0, [fault], {"edge": [Life([(1.0, 2_000_000)])]}
    )
    assert sum(count for _, count in answers.series["right"]) == 50
    assert sum(count for _, count in answers.series["429 overloaded"]) == 50
    assert all(one == pytest.approx(50) for _, one in waits.series["p99"])
    assert memory.series == {"edge": [(1.0, 2.0)]}
    assert answers.spans == {"slow disk": [(5.0, 7.0)]}


def test_spans_of_a_plot_come_back_from_json_and_are_not_needed() -> None:
    plot = Plot("t", "line", "x", "y", {"s": [(0.0, 1.0)]}, {"fault": [(0.0, 0.5)]})
    text = json.dumps(Result("soak", Form.SHORT, [], plots=[plot]).to_json())
    assert Result.from_json(json.loads(text)).plots == [plot]
    older = json.loads(text)
    del older["plots"][0]["spans"]
    assert Result.from_json(older).plots[0].spans == {}


def test_a_plan_comes_back_from_its_text() -> None:
    plan = Plan("http://h:1", "key", "/p", (1, 2), "/o", 60.0, None, 5.0, 20, 7)
    assert Plan.from_text(plan.to_text()) == plan


def test_every_refusal_that_is_let_pass_is_one_that_the_edge_documents_as_temporary() -> None:
    documented = {
        f"{kind.status} {kind.code}" for _, kind in KINDS if kind.status in (429, 503, 504)
    }
    assert documented >= REFUSALS


def test_a_slow_disk_makes_every_fsync_of_a_process_slow_until_it_is_quick_again(
    tmp_path: Path,
) -> None:
    flag = tmp_path / "slow"
    program = (
        "import os, tempfile, time\n"
        "from pathlib import Path\n"
        "file = tempfile.TemporaryFile()\n"
        "def took():\n"
        "    begun = time.perf_counter()\n"
        "    os.fsync(file.fileno())\n"
        "    return time.perf_counter() - begun\n"
        f"flag = Path({str(flag)!r})\n"
        "flag.write_text('0.3')\n"
        "print(took() >= 0.3)\n"
        "flag.unlink()\n"
        "print(took() < 0.3)\n"
    )
    hook = Path(timeline.__file__).with_name("slow_disk")
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(hook), "BENCH_SLOW_DISK": str(flag)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "True"]


def test_percentiles_of_waits_are_of_right_answers_only() -> None:
    seen = journal([Verdict.RIGHT, Verdict.WRONG] * 10)
    assert len(timeline.waits(seen, 0.0)["p50"]) == len(np.unique(seen.due.astype(int)))
