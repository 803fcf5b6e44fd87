"""What the rehearsal reads in a Dockerfile, and what it refuses to pass over."""

from __future__ import annotations

import pytest

from bench.images.dockerfile import (
    Instruction,
    NotUnderstood,
    exec_form,
    expanded,
    flags,
    pairs,
    parse,
)

TWO_STAGES = """
# Comments go.
ARG BASE=debian:bookworm-slim
FROM ${BASE} AS build
RUN first \\
 # also within a line that goes on
 && second

FROM ${BASE}
COPY --from=build /made /made
ENTRYPOINT ["python", "-m", "edge"]
"""


def one(text: str) -> Instruction:
    return parse(f"FROM a\n{text}").stages[0].instructions[0]


def test_stages_have_a_name_and_their_instructions_in_order() -> None:
    read = parse(TWO_STAGES)
    assert [argument.rest for argument in read.arguments] == ["BASE=debian:bookworm-slim"]
    assert [(stage.base, stage.name) for stage in read.stages] == [
        ("${BASE}", "build"),
        ("${BASE}", None),
    ]
    assert [step.word for step in read.stages[1].instructions] == ["COPY", "ENTRYPOINT"]


def test_lines_that_go_on_are_joined_without_comments_between_them() -> None:
    run = parse(TWO_STAGES).stages[0].instructions[0]
    assert run.rest.split() == ["first", "&&", "second"]
    assert run.line == 5


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("FROM a\nADD https://example.org/x /x", "line 2: ADD"),
        ('FROM a\nSHELL ["/bin/bash"]', "line 2: SHELL"),
        ("FROM a\nRUN <<END\nmake\nEND", "here-documents"),
        ("FROM a\nRUN make \\", "does not end"),
        ("# syntax=docker/dockerfile:1\nFROM a", "directives"),
        ("RUN make\nFROM a", "before the first FROM"),
        ("FROM --platform=linux/arm64 a", "FROM name"),
        ("", "no FROM"),
    ],
)
def test_what_is_not_known_is_refused(text: str, why: str) -> None:
    with pytest.raises(NotUnderstood, match=why):
        parse(text)


def test_variables_are_put_in_and_have_defaults() -> None:
    variables = {"A": "1", "EMPTY": ""}
    assert expanded("${A} $A ${B} ${B:-2} ${EMPTY:-3}", variables) == "1 1  2 3"


def test_pairs_keep_what_is_in_quotes_together() -> None:
    read = pairs(one('ENV A="one two" B=$C'), {"C": "three"})
    assert read == {"A": "one two", "B": "three"}
    with pytest.raises(NotUnderstood, match="KEY=value"):
        pairs(one("ENV A value"), {})


def test_a_shell_form_is_no_exec_form() -> None:
    assert exec_form(one('ENTRYPOINT ["python", "-m", "edge"]')) == ("python", "-m", "edge")
    with pytest.raises(NotUnderstood, match="program"):
        exec_form(one("ENTRYPOINT python -m edge"))


def test_flags_stand_before_the_rest() -> None:
    assert flags(one('HEALTHCHECK --interval=10s --retries=3 CMD ["a"]')) == (
        {"interval": "10s", "retries": "3"},
        'CMD ["a"]',
    )
