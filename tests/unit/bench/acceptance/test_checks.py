"""The checks can fail: a service that does the wrong thing is found out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import httpx2
import pytest

from bench.acceptance.answers import Problem
from bench.acceptance.calls import Answer, CallFailed, Calls
from bench.acceptance.checks import CHECKS
from bench.acceptance.checks.keys import keys
from bench.acceptance.checks.removing import removing
from bench.acceptance.checks.watching import watching
from bench.acceptance.findings import Findings
from bench.acceptance.operations import DOCUMENTED, GET_PHOTO, PING, SEARCH
from bench.acceptance.samples import Samples
from bench.acceptance.trial import Check, Names, Trial, run_check

Handler = Callable[[httpx2.Request], httpx2.Response]
SAMPLES = Samples(
    portraits=(b"\xff\xd8a", b"\xff\xd8b", b"\xff\xd8c", b"\xff\xd8d"),
    **dict.fromkeys(("png", "webp", "couple", "twins", "nobody", "text", "cut", "gif"), b"e"),
)


def calls_of(handler: Handler) -> Calls:
    transport = httpx2.MockTransport(handler)
    return Calls(httpx2.Client(transport=transport, base_url="http://faces.test"), "the-key")


def trial_of(handler: Handler) -> Trial:
    return Trial(
        calls=calls_of(handler),
        samples=SAMPLES,
        names=Names("acceptance-0"),
        findings=Findings(),
        patience_seconds=0.0,
        is_ours=True,
    )


def yes(_: httpx2.Request) -> httpx2.Response:
    """A service that answers everything with nothing."""
    return httpx2.Response(200, json={})


def gone(_: httpx2.Request) -> httpx2.Response:
    """None."""
    raise httpx2.ConnectError("nobody is there")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("handler", [yes, gone])
def test_a_service_that_says_yes_to_everything_or_is_gone_fails_every_check(
    check: Check, handler: Handler
) -> None:
    trial = trial_of(handler)
    run_check(check, trial)
    assert trial.findings.failed


def test_a_key_that_is_not_asked_for_is_found_out_for_every_operation() -> None:
    trial = trial_of(yes)
    run_check(keys, trial)
    secured = [operation for operation in DOCUMENTED if operation.needs_key]
    assert len(trial.findings.failed) == 3 * len(secured)


def test_a_refusal_is_read_by_its_code_and_anything_else_by_its_status() -> None:
    problem = json.dumps({"code": "too_many_faces", "detail": "two", "more": 1}).encode()
    assert Answer(422, problem, "application/problem+json").said == "422 too_many_faces"
    assert Answer(502, b"<html>", "text/html").said == "502"
    assert Answer(200, problem, "application/json").said == "200"
    with pytest.raises(CallFailed, match="not the documented JSON"):
        Answer(200, b"[]", "application/json").read(Problem)


def test_calls_carry_the_key_and_every_field_in_a_multipart_body() -> None:
    seen: list[httpx2.Request] = []

    def note(request: httpx2.Request) -> httpx2.Response:
        request.read()
        seen.append(request)
        return yes(request)

    calls = calls_of(note)
    calls(SEARCH, image=b"selfie", fields={"top_k": "10", "collection_id": ["a", "b"]})
    calls(GET_PHOTO, photo_id="a/b c", query={"collection_id": "d"})
    calls(PING, headers={})
    form, named, open_ = seen
    assert form.headers["X-Api-Key"] == "the-key"
    assert form.headers["Content-Type"].startswith("multipart/form-data")
    assert form.content.count(b'name="collection_id"') == 2
    assert b"selfie" in form.content
    assert named.url.raw_path == b"/photos/a%2Fb%20c?collection_id=d"
    assert "X-Api-Key" not in open_.headers
    assert [called.said for called in calls.log] == ["200", "200", "200"]


def hiding(request: httpx2.Request) -> httpx2.Response:
    """A proxy that passes on what callers need, and says of the rest that it is not there."""
    if request.url.path in {"/livez", "/readyz", "/metrics", "/no/such/path"}:
        return httpx2.Response(404, text="<html>")
    return httpx2.Response(200, json={"status": "ok", "paths": {}})


def test_what_an_ingress_keeps_back_fails_nothing_for_a_service_elsewhere() -> None:
    kept_back = {"GET /livez", "GET /readyz", "GET /metrics", "GET /no/such/path"}
    ours, elsewhere = trial_of(hiding), replace(trial_of(hiding), is_ours=False)
    for trial in (ours, elsewhere):
        run_check(watching, trial)
    assert kept_back <= {line.part for line in ours.findings.failed}
    assert not kept_back & {line.part for line in elsewhere.findings.failed}


def test_the_whole_base_of_others_is_never_emptied() -> None:
    asked: list[httpx2.URL] = []

    def note(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/remove_all/":
            asked.append(request.url)
        body = {"photos_removed": 0, "faces_removed": 0, "faces": [], "photo_id": "a"}
        found = {"collection_id": "b", "results": [], "top_k": 1, "offset": 0, "next_offset": None}
        model = {"model": {"pack": "a", "version": "b"}, "score_threshold": 0.5}
        return httpx2.Response(200, json=body | found | model)

    for is_ours in (False, True):
        asked.clear()
        for check in (keys, removing):
            run_check(check, replace(trial_of(note), is_ours=is_ours))
        assert len(asked) > 3
        assert any("collection_id" not in url.params for url in asked) is is_ours
