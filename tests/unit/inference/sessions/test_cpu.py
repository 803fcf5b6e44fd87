from __future__ import annotations

from pathlib import Path

import pytest

from inference.sessions.cpu import parse_cpu, read_cpu

ZEN4 = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
stepping\t: 1
cpu MHz\t\t: 2596.1
flags\t\t: fpu avx2 avx512f avx512_bf16 avx512_vnni
bugs\t\t: spectre_v1

processor\t: 1
vendor_id\t: AuthenticAMD
flags\t\t: fpu
"""


@pytest.mark.parametrize(
    ("flags", "has_bf16"),
    [
        ("fpu avx2", False),
        ("fpu avx512f avx512_vnni", False),
        ("fpu avx512f avx512_bf16", True),
        ("fpu amx_tile amx_bf16", True),
        ("fpu avx512_bf16x", False),
        ("", False),
    ],
)
def test_bf16_is_told_by_the_flags(flags: str, has_bf16: bool) -> None:
    assert parse_cpu(f"flags\t\t: {flags}\n").has_bf16 is has_bf16


def test_the_first_cpu_speaks_for_all() -> None:
    assert parse_cpu(ZEN4).flags == {"fpu", "avx2", "avx512f", "avx512_bf16", "avx512_vnni"}


def test_the_clock_is_no_part_of_what_a_cpu_is() -> None:
    assert parse_cpu(ZEN4).identity == parse_cpu(ZEN4.replace("2596.1", "3700.0")).identity


@pytest.mark.parametrize(
    ("was", "is_now"),
    [("AMD EPYC", "AMD EPYC 9654"), ("model\t\t: 17", "model\t\t: 1"), ("avx512_vnni", "avx512cd")],
)
def test_cpus_with_one_name_are_told_apart_by_model_and_flags(was: str, is_now: str) -> None:
    assert parse_cpu(ZEN4).identity != parse_cpu(ZEN4.replace(was, is_now)).identity


def test_where_nothing_tells_the_cpu_is_unknown(tmp_path: Path) -> None:
    cpu = read_cpu(tmp_path / "cpuinfo")

    assert cpu.identity == ""
    assert not cpu.has_bf16


def test_what_is_no_cpuinfo_tells_nothing() -> None:
    assert parse_cpu("\x00 no colon here\n\n").flags == frozenset()
