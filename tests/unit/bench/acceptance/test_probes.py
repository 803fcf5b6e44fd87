"""Selfies of the load test are those that the service takes, and it finds whose they are."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from bench.acceptance.calls import Calls
from bench.acceptance.findings import Findings
from bench.acceptance.probes import Probe, keep_probes

PEOPLE = {b"anna": "Anna", b"bert": "Bert", b"carl": "Carl", b"dora": "Dora"}
TOO_MANY = {"code": "too_many_faces"}


def finding(first: dict[bytes, str | int]) -> Calls:
    """A service that finds these people first; where a number stands, it refuses so."""

    def search(request: httpx2.Request) -> httpx2.Response:
        body = request.read()
        (said,) = [name for selfie, name in first.items() if selfie in body]
        if isinstance(said, int):
            return httpx2.Response(said, json=TOO_MANY if said == 422 else {})
        match = {
            "photo_id": f"{said}/000001.jpg",
            "collection_id": "a",
            "score": 0.9,
            "face": {"face_id": "f", "bbox": {"x": 0, "y": 0, "width": 1, "height": 1}},
        }
        page = {"top_k": 10, "offset": 0, "next_offset": None, "score_threshold": 0.5}
        model = {"model": {"pack": "starter", "version": "1"}}
        return httpx2.Response(200, json={"results": [match], **page, **model})

    transport = httpx2.MockTransport(search)
    return Calls(httpx2.Client(transport=transport, base_url="http://faces.test"), "key")


def kept(first: dict[bytes, str | int], folder: Path) -> tuple[int, Findings]:
    findings = Findings()
    probes = [Probe(selfie, person) for selfie, person in PEOPLE.items()]
    return keep_probes(finding(first), probes, ["a", "b"], folder, findings), findings


def test_what_is_refused_for_its_faces_is_left_out_and_fails_nothing(tmp_path: Path) -> None:
    count, findings = kept({**PEOPLE, b"carl": 422}, tmp_path)
    assert count == 3
    assert [file.read_bytes() for file in sorted(tmp_path.glob("*.jpg"))] == [
        *(b"anna", b"bert", b"dora")
    ]
    assert findings.failed == []


@pytest.mark.parametrize(
    "first",
    [
        {**PEOPLE, b"carl": 503},  # a refusal for another reason
        {**PEOPLE, b"carl": "Anna"},  # the wrong person
        {**PEOPLE, b"bert": "Bertha"},  # a longer name is another one
        dict.fromkeys(PEOPLE, 422),  # nobody is left
    ],
)
def test_another_refusal_a_wrong_person_or_nobody_left_fails(
    first: dict[bytes, str | int], tmp_path: Path
) -> None:
    _, findings = kept(first, tmp_path)
    assert findings.failed
