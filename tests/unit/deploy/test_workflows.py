"""The workflows: what they run is there, and nothing they run can be told to do something else."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.unit.deploy.workflows import ROOT, WORKFLOWS, Step, actions, commands, read, steps

PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
SCRIPT = re.compile(r"(?:bash|python3?) ((?:deploy|proto|requirements)/[\w./-]+)")
TARGET = re.compile(r"\bmake ([a-z-]+)")
IMAGES = ("edge", "inference", "inference-gpu")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_grants_nothing_and_each_job_what_it_needs(workflow: Path) -> None:
    found = read(workflow)
    assert found["permissions"] == {}
    for name, job in found["jobs"].items():
        assert job["permissions"], name
        assert 0 < job["timeout-minutes"] <= 60, name


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_never_runs_a_stranger_s_code_with_rights(workflow: Path) -> None:
    found = read(workflow)
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(found["on"])
    if "pull_request" in found["on"]:
        granted = {right for job in found["jobs"].values() for right in job["permissions"].items()}
        assert granted == {("contents", "read")}
    assert "secrets." not in workflow.read_text("utf-8")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_newer_runs_wait_for_older_ones_or_end_them(workflow: Path) -> None:
    assert "group" in read(workflow)["concurrency"]


@pytest.mark.parametrize("step", actions(), ids=str)
def test_actions_are_pinned_by_commit_and_say_the_version(step: Step) -> None:
    uses = str(step.fields["uses"])
    assert PINNED.fullmatch(uses), uses
    text = (ROOT / ".github" / "workflows" / f"{step.workflow}.yml").read_text("utf-8")
    assert re.search(rf"{re.escape(uses)} # v\d+\.\d+\.\d+$", text, re.MULTILINE), uses


def test_an_action_has_one_version_everywhere() -> None:
    pins = {str(step.fields["uses"]) for step in actions()}
    assert len({pin.partition("@")[0] for pin in pins}) == len(pins), sorted(pins)


def test_checkouts_leave_no_credentials_behind() -> None:
    checkouts = [step for step in actions() if "actions/checkout@" in step.fields["uses"]]
    assert checkouts
    for step in checkouts:
        assert step.fields["with"]["persist-credentials"] is False, str(step)


@pytest.mark.parametrize("step", commands(), ids=str)
def test_commands_are_shell_and_take_values_from_the_environment_alone(step: Step) -> None:
    command = str(step.fields["run"])
    parsed = subprocess.run(["bash", "-n"], input=command, capture_output=True, text=True)  # noqa: PLW1510
    assert parsed.returncode == 0, parsed.stderr
    # `${{ … }}` is put into the text of the command: a branch or a tag could be called anything.
    assert "${{" not in command


def test_every_target_of_make_and_every_script_that_is_run_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    run = "\n".join(str(step.fields["run"]) for step in commands())
    assert set(TARGET.findall(run)) >= {"lint", "test", "check"}
    assert set(TARGET.findall(run)) <= targets
    scripts = set(SCRIPT.findall(run))
    assert len(scripts) >= 3
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


def test_the_images_that_are_built_are_those_that_there_are() -> None:
    there = {file.name for file in (ROOT / "deploy" / "docker").glob("*.Dockerfile")}
    assert there == {f"{image}.Dockerfile" for image in IMAGES}
    built = {
        str(step.fields["with"]["file"])
        for step in actions()
        if step.workflow == "images" and "file" in step.fields.get("with", {})
    }
    assert built == {f"deploy/docker/{name}" for name in there}
    release = read(ROOT / ".github" / "workflows" / "release.yml")
    assert release["jobs"]["images"]["strategy"]["matrix"]["image"] == list(IMAGES)


def test_tests_run_on_every_python_that_the_package_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    checks = read(ROOT / ".github" / "workflows" / "checks.yml")
    assert checks["jobs"]["test"]["strategy"]["matrix"]["python"] == named


def test_tests_for_strangers_may_skip_what_needs_the_photos_of_people() -> None:
    tests = [step for step in commands() if re.search(r"make (test|check)", step.fields["run"])]
    assert tests
    for step in tests:
        assert "env --unset=CI make" in step.fields["run"], str(step)


def test_nothing_released_comes_from_a_cache() -> None:
    for step in steps():
        if step.workflow == "release":
            assert not {"cache", "cache-from", "cache-to"} & set(step.fields.get("with", {}))


def test_a_release_is_made_after_everything_else_and_carries_where_it_comes_from() -> None:
    jobs = read(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    assert jobs["python"]["needs"] == jobs["images"]["needs"] == "verify"
    assert jobs["publish"]["needs"] == ["python", "images"]
    for name in ("python", "images"):
        assert jobs[name]["permissions"]["id-token"] == "write"
        attested = [
            step for step in jobs[name]["steps"] if "actions/attest@" in step.get("uses", "")
        ]
        assert attested, name
