"""What is compared, read and written for docs/capacity.md."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from bench.capacity.comparison import Comparison, Highest, Percentiles
from bench.capacity.drawing import draw_comparison
from bench.capacity.kept import keep_comparison, kept_comparison
from bench.capacity.page import UnknownBlock, filled
from bench.capacity.photo_log import PhotoLog
from bench.capacity.prices import Bill, Prices
from bench.capacity.thread_times import ThreadTimes
from bench.capacity.vectors import HNSW, RESIDENT, query_cores, resident_seconds
from bench.load.criteria import CAPACITY

GIB = 2**30


@pytest.fixture
def comparison() -> Comparison:
    return Comparison(
        measured=[Percentiles(10, 20.0, 30.0, 40.0), Percentiles(50, 20.0, 30.0, 50.0)],
        predicted=[Percentiles(10, 21.0, 30.0, 40.0), Percentiles(50, 20.0, 27.0, 40.0)],
        highest=[Highest(CAPACITY, 100.0, 110.0)],
    )


def test_a_comparison_counts_the_largest_difference(comparison: Comparison) -> None:
    assert comparison.differences() == {
        "p50": pytest.approx(0.05),
        "p95": pytest.approx(0.1),
        "p99": pytest.approx(0.2),
        "highest rate with p99 ≤ 200 ms": pytest.approx(0.1),
    }


def test_a_comparison_holds_up_to_a_fifth(comparison: Comparison) -> None:
    assert comparison.holds
    off = Comparison(comparison.measured, comparison.predicted, [Highest(CAPACITY, 100.0, 121.0)])
    assert not off.holds
    assert [figure.passes for figure in off.figures()] == [True, True, True, False]


def test_a_comparison_is_kept_and_drawn(comparison: Comparison, tmp_path: Path) -> None:
    assert kept_comparison("pack", tmp_path) is None
    keep_comparison("pack", comparison, tmp_path)
    assert kept_comparison("pack", tmp_path) == comparison
    draw_comparison(comparison, tmp_path / "plots" / "model.png")
    assert 0 < (tmp_path / "plots" / "model.png").stat().st_size < 150_000


def test_blocks_of_a_page_are_filled_and_the_rest_stays() -> None:
    page = "a\n<!-- plan: one -->\nold\n<!-- end -->\nb\n"
    once = filled(page, {"one": "new"})
    assert once == "a\n<!-- plan: one -->\n\nnew\n\n<!-- end -->\nb\n"
    assert filled(once, {"one": "new"}) == once


def test_a_page_and_its_blocks_must_match() -> None:
    with pytest.raises(UnknownBlock):
        filled("<!-- plan: one -->\n<!-- end -->", {"two": ""})


def test_photos_are_read_from_what_was_written_since(tmp_path: Path) -> None:
    def line(decode: float, embed: float) -> str:
        stages = {"decode": decode, "detect": 2.0, "align": 0.5, "embed": embed}
        return json.dumps({"event": "request", "stages_ms": stages}) + "\n"

    log = tmp_path / "output.log"
    log.write_text(line(1.0, 3.0), "utf-8")
    photos = PhotoLog([log])
    with log.open("a", encoding="utf-8") as file:
        file.write(line(4.0, 3.0) + "not JSON\n" + line(5.0, 0.0) + '{"stages_ms": cut off')
    assert [photo.decode for photo in photos.photos()] == [pytest.approx(0.004)]


def test_cpu_time_by_thread_is_what_the_process_used() -> None:
    before = ThreadTimes.of([os.getpid()])
    sum(n * n for n in range(300_000))
    time.sleep(0.01)  # ends a turn on the core
    sum(n * n for n in range(300_000))
    used = ThreadTimes.of([os.getpid()]).since(before)
    assert used.total > 0.001
    assert used.burst > 0.0


def test_threads_that_hardly_work_and_the_first_one_are_not_of_photos() -> None:
    threads = {(7, 7): 5.0, (7, 8): 10.0, (7, 9): 0.5}
    times = ThreadTimes(threads, dict.fromkeys(threads, 1))
    assert times.of_photos() == 10.0


def test_vectors_take_what_docs_milvus_md_says() -> None:
    assert HNSW.memory(1_000_000, 512) == pytest.approx(2.376e9)
    assert RESIDENT.memory(100_000, 512) == pytest.approx(1.08 * 100_000 * 2048)


def test_exact_searches_grow_with_the_bytes_of_the_vectors() -> None:
    assert resident_seconds(100_000, 512) == pytest.approx(0.0087)
    assert resident_seconds(1_000_000, 128) == pytest.approx(0.0087 * 10 / 4)


def test_query_nodes_need_the_published_cores() -> None:
    assert query_cores(1_000_000, 128, 7153) == pytest.approx(8.0)
    assert query_cores(10_000, 128, 7153) == pytest.approx(8.0)


def test_a_month_costs_what_its_hours_cost() -> None:
    bill = Bill(edges=2, servers=3, vcpus=5, gpus=1, memory_gib=4.0)
    assert bill.a_month(Prices(vcpu=0.05, gpu=1.0)) == pytest.approx(730 * 1.25)
