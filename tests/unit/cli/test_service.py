"""How the two processes are set up, and how other commands find them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.running.service import ServiceOptions, environments, pack_line, url_of
from cli.running.service_file import RunningService, announced, find_service

FOLDER = Path("/run/s")


def test_flags_go_over_the_environment() -> None:
    options = ServiceOptions(Path("base"), pack="one", port=81)
    present = {"INFERENCE_PACK": "two", "EDGE_PORT": "80", "PATH": "/bin"}
    (inference,), edge = environments(options, present, FOLDER)
    assert (inference["INFERENCE_PACK"], edge["EDGE_PORT"]) == ("one", "81")
    assert edge["STORAGE_DATA_DIR"] == "base"
    assert inference["PATH"] == edge["PATH"] == "/bin"


def test_what_no_flag_says_is_left_to_the_environment() -> None:
    present = {"INFERENCE_PACK": "two", "EDGE_PORT": "80", "API_KEY": "k"}
    (inference,), edge = environments(ServiceOptions(Path("base")), present, FOLDER)
    assert (inference["INFERENCE_PACK"], edge["EDGE_PORT"], edge["API_KEY"]) == ("two", "80", "k")
    assert "EDGE_HOST" not in edge


def test_the_edge_reaches_inference_through_a_private_socket() -> None:
    (inference,), edge = environments(ServiceOptions(Path("base")), {}, FOLDER)
    assert inference["INFERENCE_UNIX_SOCKET"] == "/run/s/inference-1.sock"
    assert edge["EDGE_INFERENCE_TARGETS"] == "unix:/run/s/inference-1.sock"
    assert inference["INFERENCE_PORT"] == inference["INFERENCE_METRICS_PORT"] == "0"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104
        ("::", "http://[::1]:80"),
        ("faces.local", "http://faces.local:80"),
    ],
)
def test_the_url_is_one_that_works_here(host: str, url: str) -> None:
    assert url_of(host, 80) == url


def test_the_pack_is_told_in_one_line_as_inference_says_it() -> None:
    serving = {"event": "serving", "pack": "starter", "version": "1.0.0", "licence": "research"}
    assert pack_line(serving) == "starter 1.0.0, licence: research"


def test_a_running_service_is_found_and_gone_afterwards(tmp_path: Path) -> None:
    service = RunningService("http://127.0.0.1:8000", os.getpid())
    with announced(tmp_path, service):
        assert find_service(tmp_path) == service
    assert find_service(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_ended_without_a_word_is_not_found(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "service.json").write_text(json.dumps({"url": "http://x", "pid": ended.pid}))
    assert find_service(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "url": 1}'])
def test_a_file_that_makes_no_sense_is_no_service(tmp_path: Path, text: str) -> None:
    (tmp_path / "service.json").write_text(text)
    assert find_service(tmp_path) is None


def test_a_service_leaves_the_announcement_of_its_successor_alone(tmp_path: Path) -> None:
    first = RunningService("http://first", os.getpid())
    second = RunningService("http://second", os.getppid())
    with announced(tmp_path, first):
        (tmp_path / "service.json").write_text(json.dumps({"url": second.url, "pid": second.pid}))
    assert find_service(tmp_path) == second


def test_how_many_workers_share_the_port_is_for_the_edge_alone() -> None:
    (inference,), edge = environments(ServiceOptions(Path("base"), workers="auto"), {}, FOLDER)
    assert edge["EDGE_WORKERS"] == "auto"
    assert "EDGE_WORKERS" not in inference


def test_several_inference_servers_have_a_socket_and_one_session_each() -> None:
    options = ServiceOptions(Path("base"), inference_workers=2)
    inference, edge = environments(options, {}, FOLDER)
    sockets = ["/run/s/inference-1.sock", "/run/s/inference-2.sock"]
    assert [each["INFERENCE_UNIX_SOCKET"] for each in inference] == sockets
    assert edge["EDGE_INFERENCE_TARGETS"] == ",".join(f"unix:{socket}" for socket in sockets)
    assert {each["INFERENCE_SESSIONS"] for each in inference} == {"1"}


def test_a_number_of_sessions_that_was_asked_for_stays() -> None:
    options = ServiceOptions(Path("base"), inference_workers=2)
    inference, _ = environments(options, {"INFERENCE_SESSIONS": "3"}, FOLDER)
    assert {each["INFERENCE_SESSIONS"] for each in inference} == {"3"}
