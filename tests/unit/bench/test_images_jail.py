"""What surrounds a process of the rehearsal, as far as it can be told without being root."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from bench.images.debian import NoBase, sources_of, suite_of
from bench.images.image import ROOT, User
from bench.images.jail import Bind, Jail, enter, join
from bench.images.run import fetching, mount_points

ROOT_FOLDER = Path("/work of mine/root")


def test_a_service_gets_a_user_and_nothing_more() -> None:
    command = enter(
        Jail(ROOT_FOLDER, is_read_only=True),
        ["python", "-m", "edge"],
        user=User(10001, 10002),
        environment={"A": "b c"},
        workdir="/data",
    )
    assert command[-3:] == ["python", "-m", "edge"]
    assert "A=b c" in command
    assert {"--reuid=10001", "--regid=10002", "--clear-groups"} <= set(command)
    assert {"--no-new-privs", "--bounding-set=-all"} <= set(command)
    assert command.index("--ignore-environment") < command.index("A=b c") < command.index("setpriv")


def test_root_keeps_what_apt_needs() -> None:
    command = enter(Jail(ROOT_FOLDER), ["apt-get"], user=ROOT, environment={}, workdir="/")
    assert "setpriv" not in command


def test_a_health_check_runs_as_the_service_does() -> None:
    given = {"user": User(1, 2), "environment": {"A": "1"}, "workdir": "/"}
    jail = Jail(ROOT_FOLDER)
    entered = enter(jail, ["a"], **given)  # type: ignore[arg-type]  # one mapping for both
    joined = join(4711, jail, ["a"], **given)  # type: ignore[arg-type]  # as above
    assert joined[:3] == ["nsenter", "--target", "4711"]
    assert joined[joined.index("chroot") :] == entered[entered.index("chroot") :]


def test_only_a_read_only_root_is_mounted_so_and_before_anything_is_mounted_in_it() -> None:
    bind = Bind(Path("/here"), PurePosixPath("/data"), is_writable=True)
    lines = Jail(ROOT_FOLDER, (bind,), is_read_only=True).mounts.splitlines()
    root = "'/work of mine/root'"
    read_only = lines.index(f"mount -o remount,bind,ro {root}")
    inside = [number for number, line in enumerate(lines) if f"{root}/" in line]
    assert read_only < min(inside)
    assert "mount --bind /here '/work of mine/root/data'" in lines
    assert not any("bind,ro" in line and "/data" in line for line in lines)
    assert "remount" not in Jail(ROOT_FOLDER).mounts


def test_nothing_stays_of_what_was_mounted_on(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file, folder = tmp_path / "a-file", tmp_path / "a-folder"
    file.touch()
    folder.mkdir()
    binds = [
        Bind(file, PurePosixPath("/etc/pip.conf")),
        Bind(folder, PurePosixPath("/opt/deep/wheels")),
    ]
    with mount_points(tmp_path, binds):
        assert (tmp_path / "etc/pip.conf").is_file()
        assert (tmp_path / "opt/deep/wheels").is_dir()
    assert list((tmp_path / "etc").iterdir()) == []
    assert not (tmp_path / "opt").exists()


def test_only_what_says_how_to_fetch_goes_inside() -> None:
    given = {"PIP_CERT": "/ca", "https_proxy": "http://proxy", "API_KEY": "secret", "HOME": "/me"}
    assert fetching(given) == {"PIP_CERT": "/ca", "https_proxy": "http://proxy"}


@pytest.mark.parametrize(
    "reference",
    [
        "debian:bookworm-slim",
        "debian:bookworm-20261005-slim@sha256:7c7b",
        "docker.io/library/debian:bookworm",
    ],
)
def test_the_release_is_read_off_the_base(reference: str) -> None:
    assert suite_of(reference) == "bookworm"


@pytest.mark.parametrize("reference", ["python:3.11-slim-bookworm", "debian", "alpine:3.20"])
def test_a_base_that_debootstrap_cannot_make_is_refused(reference: str) -> None:
    with pytest.raises(NoBase):
        suite_of(reference)


def test_a_mirror_may_be_named() -> None:
    sources = sources_of("bookworm", "http://mirror.example.org/debian")
    assert sources.text == "deb http://mirror.example.org/debian bookworm main\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "debian.sources",
            "Types: deb\nURIs: http://here/debian\nSuites: bookworm bookworm-updates\n",
        ),
        ("sources.list", "# deb cdrom:[]\ndeb [signed-by=/x] http://here/debian bookworm main\n"),
    ],
)
def test_else_packages_come_from_where_this_machine_has_its_own(
    tmp_path: Path, name: str, text: str
) -> None:
    other = tmp_path / "other.list"
    other.write_text("deb http://there/debian sid main\n")
    (tmp_path / name).write_text(text)
    sources = sources_of("bookworm", None, [tmp_path / "missing", other, tmp_path / name])
    assert (sources.mirror, sources.text, sources.file_name) == ("http://here/debian", text, name)
    with pytest.raises(NoBase, match="--mirror"):
        sources_of("bookworm", None, [other])
