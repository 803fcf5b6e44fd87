"""Stages are built in order, into real folders; only RUN lines are written down here, not run."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.images.build import Builder, Run
from bench.images.dockerfile import NotUnderstood, parse
from bench.images.image import Image, NoNumbers, User

PASSWD = (
    "root:x:0:0:root:/root:/bin/bash\nfacesearch:x:10001:10001::/home/of/passwd:/usr/sbin/nologin\n"
)
DOCKERFILE = """
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS build
ARG VERSION=1
WORKDIR /source
COPY pins/a.txt pins/b.txt pins/
COPY . .
RUN make ${VERSION} \\
 && install
FROM ${BASE}
COPY --from=build /source/pins /opt/pins
ENV NAME=value \\
    OTHER="two words"
LABEL version=$NAME
USER 10001:10001
WORKDIR /data
EXPOSE 8000 9000
STOPSIGNAL SIGINT
HEALTHCHECK --interval=10s CMD ["python", "-m", "edge.health"]
ENTRYPOINT ["python", "-m", "edge"]
"""


class Site:
    """A context, and a builder that remembers what it was to run."""

    def __init__(self, folder: Path) -> None:
        self.context = folder / "context"
        self.runs: list[Run] = []
        self.bases: list[str] = []
        for name in ("pins/a.txt", "pins/b.txt", "code/main.py", "data/photo.jpg"):
            (self.context / name).parent.mkdir(parents=True, exist_ok=True)
            (self.context / name).write_text(name)
        (self.context / ".dockerignore").write_text("*\n!pins\n!code\n")
        work = folder / "work"
        work.mkdir()
        self._builder = Builder(self.context, work, self._make_root, self.runs.append)

    def _make_root(self, base: str, folder: Path) -> None:
        self.bases.append(base)
        (folder / "etc").mkdir(parents=True)
        (folder / "etc/passwd").write_text(PASSWD)

    def build(self, text: str, **arguments: str) -> Image:
        return self._builder.build("image", parse(text), arguments)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_files_come_from_the_context_and_from_stages_before(site: Site) -> None:
    image = site.build(DOCKERFILE)
    assert (image.root / "opt/pins/a.txt").read_text() == "pins/a.txt"
    first = image.root.with_name("image-0")
    assert (first / "source/code/main.py").is_file()
    assert not (first / "source/data").exists(), ".dockerignore keeps it out"
    assert site.bases == ["debian:bookworm-slim"] * 2


def test_run_lines_get_the_arguments_and_the_working_directory(site: Site) -> None:
    site.build(DOCKERFILE, VERSION="2", BASE="debian:trixie-slim")
    (run,) = site.runs
    assert run.command.split() == ["make", "${VERSION}", "&&", "install"]
    assert run.workdir == "/source"
    assert run.environment["VERSION"] == "2"
    assert run.environment["HOME"] == "/root"
    assert site.bases[0] == "debian:trixie-slim"


def test_the_image_says_how_it_is_run(site: Site) -> None:
    image = site.build(DOCKERFILE)
    assert image.entrypoint == ("python", "-m", "edge")
    assert image.user == User(10001, 10001)
    assert image.workdir == "/data"
    assert (image.root / "data").is_dir()
    assert image.ports == (8000, 9000)
    assert image.stop_signal == "SIGINT"
    assert image.labels == {"version": "value"}
    assert image.health is not None
    assert image.health.command == ("python", "-m", "edge.health")
    assert image.surroundings["HOME"] == "/home/of/passwd", "as engines do it"
    assert image.surroundings["OTHER"] == "two words"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("COPY missing /x/", "nothing in the context"),
        ("COPY data /x", "nothing in the context"),
        ("COPY pins/a.txt /x", "end it with /"),
        ("COPY --from=later /x /x", "no stage later"),
        ("COPY --chown=1:1 . .", "--chown"),
        ("RUN --mount=type=cache,target=/x make", "options"),
        ("HEALTHCHECK NONE", "HEALTHCHECK"),
        ("USER 1:1\nRUN make", "RUN after USER"),
    ],
)
def test_what_an_engine_would_do_otherwise_is_refused(site: Site, line: str, why: str) -> None:
    with pytest.raises(NotUnderstood, match=why):
        site.build(f"FROM debian:bookworm-slim\n{line}")


def test_a_user_has_numbers(site: Site) -> None:
    with pytest.raises(NoNumbers):
        site.build("FROM debian:bookworm-slim\nUSER facesearch")
