"""The model fed from the report of a load test that is in the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.capacity.from_report import NoLoadReport, profile_of
from bench.capacity.one_machine import OneMachine
from bench.capacity.profile import Profile
from bench.kit.world import RESULTS

REPORT = RESULTS / "2026-11-21-amd-epyc-2-cores.json"


@pytest.fixture(scope="module")
def profile() -> Profile:
    return profile_of(REPORT, "mbf128")


def test_a_report_says_what_a_search_costs(profile: Profile) -> None:
    assert profile.cores == 2
    assert profile.cpu_seconds == pytest.approx(0.0161, rel=0.02)
    assert profile.photo_seconds > 0.9 * (profile.photo_seconds + profile.loop.seconds)
    assert len(profile.photos) == 274


def test_the_model_meets_the_measured_percentiles_where_little_waits(profile: Profile) -> None:
    latencies = OneMachine(profile).run(58.5, 15.0).observed.latencies()
    assert latencies.p50 == pytest.approx(0.0199, rel=0.2)
    assert latencies.p95 == pytest.approx(0.0253, rel=0.2)
    assert latencies.p99 == pytest.approx(0.0290, rel=0.2)


def test_the_model_ends_where_the_machine_did(profile: Profile) -> None:
    """116 searches a second were the most that held."""
    model = OneMachine(profile)
    assert model.run(0.85 * 116, 10.0).observed.latencies().p99 <= 0.2
    assert model.run(1.2 * 116, 10.0).observed.latencies().p99 > 0.2


def test_a_report_without_a_load_test_is_refused(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(
        '{"date": "2026-11-21", "form": "full", "machine": {}, "results": [], "failures": []}',
        "utf-8",
    )
    with pytest.raises(NoLoadReport):
        profile_of(report, "mbf128")
