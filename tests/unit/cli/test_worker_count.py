"""How many inference servers are started where."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.errors import UsageError
from cli.running.worker_count import MOST, inference_worker_count, parse_count, usable_cores


@pytest.mark.parametrize(("cores", "count"), [(1, 1), (2, 2), (8, 8), (128, MOST)])
def test_there_is_one_a_core(cores: int, count: int) -> None:
    assert inference_worker_count("auto", {}, has_port=False, cores=cores) == count


@pytest.mark.parametrize(
    "environment",
    [
        {"INFERENCE_DEVICE": "cuda:0"},
        {"INFERENCE_SESSIONS": "4"},
        {"INFERENCE_MAX_BATCH": "8"},
        {"INFERENCE_BUCKETS": "1,2"},
        {"INFERENCE_METRICS_PORT": "9464"},
    ],
    ids=lambda environment: next(iter(environment)),
)
def test_who_sets_up_one_server_gets_one(environment: dict[str, str]) -> None:
    assert inference_worker_count("auto", environment, has_port=False, cores=8) == 1


def test_settings_that_say_nothing_change_nothing() -> None:
    environment = {
        "INFERENCE_DEVICE": "cpu",
        "INFERENCE_SESSIONS": "",
        "INFERENCE_METRICS_PORT": "0",
    }
    assert inference_worker_count("auto", environment, has_port=False, cores=8) == 8


def test_callers_on_a_port_get_one_server_with_all_sessions() -> None:
    assert inference_worker_count("auto", {}, has_port=True, cores=8) == 1
    with pytest.raises(UsageError, match="--inference-port"):
        inference_worker_count(2, {}, has_port=True, cores=8)


def test_several_cannot_share_the_port_of_the_metrics() -> None:
    with pytest.raises(UsageError, match="INFERENCE_METRICS_PORT"):
        inference_worker_count(2, {"INFERENCE_METRICS_PORT": "9464"}, has_port=False, cores=8)


def test_a_number_is_taken_as_it_is() -> None:
    assert inference_worker_count(parse_count("3"), {}, has_port=False, cores=1) == 3


@pytest.mark.parametrize("text", ["0", "-1", "many", "", "1.5"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--inference-workers"):
        parse_count(text)


@pytest.mark.parametrize(
    ("content", "cores"),
    [("100000 100000", 1), ("1 100000", 1), ("max 100000", None), ("nonsense", None)],
)
def test_a_share_of_time_counts_as_cores(tmp_path: Path, content: str, cores: int | None) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(content)
    assert usable_cores(file) == (cores or usable_cores(tmp_path / "none"))
