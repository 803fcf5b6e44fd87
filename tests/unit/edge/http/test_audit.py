"""Who wrote or removed what: one line each, and nothing without a line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from edge.audit import AuditEntry, AuditLog, key_actor
from edge.errors import AuditUnavailable, InferenceUnavailable
from edge.keys import Scope
from edge.services import audited
from tests.unit.edge.fakes import FakeFaceAnalyzer, photo_of
from tests.unit.edge.http.conftest import AUTH, KEY, Edge, MakeEdge, form


class Lines:
    """A writer in memory, whose disk may be full."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_full = False

    def append(self, line: bytes) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.written.append(line)

    def close(self) -> None:
        return

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written]

    @property
    def last(self) -> dict[str, Any]:
        return self.entries[-1]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
async def log(lines: Lines) -> AsyncIterator[AuditLog]:
    log = AuditLog(lines)
    yield log
    await log.close()


@pytest.fixture
def edge(make_edge: MakeEdge, log: AuditLog) -> Edge:
    """One whose writes and removals are told."""
    return told(make_edge(), log)


def told(edge: Edge, log: AuditLog) -> Edge:
    edge.backend.open(audited(edge.backend.services, log))
    return edge


def said(entry: dict[str, Any]) -> tuple[str, str, str | None, str | None]:
    return entry["action"], entry["outcome"], entry["collection_id"], entry["photo_id"]


async def test_a_photo_that_goes_in_is_a_line_with_who_what_and_the_request(
    edge: Edge, lines: Lines
) -> None:
    answer = await edge.put("Zoé/1.jpg", "anna", "bob", collection_id="c")
    (entry,) = lines.entries
    assert said(entry) == ("put_photo", "done", "c", "Zoé/1.jpg")
    assert entry["actor"] == "key:API_KEY"
    assert entry["request_id"] == answer.headers["X-Request-Id"]
    assert (entry["event"], entry["code"], entry["faces"]) == ("audit", None, 2)
    assert entry["time"].endswith("+00:00")


async def test_the_key_has_its_name_in_the_line_and_never_itself(edge: Edge, lines: Lines) -> None:
    header = await edge.key("guests", Scope.ENROL, collections=frozenset({"c"}))
    edge.client.headers.update(header)
    await edge.put("p", "anna", collection_id="c")
    edge.client.headers.update(AUTH)
    await edge.put("p", "bob", collection_id="c")
    assert [entry["actor"] for entry in lines.entries] == ["key:guests", "key:API_KEY"]
    everything = b"\n".join(lines.written).decode()
    assert KEY not in everything
    assert header["X-Api-Key"] not in everything


async def test_the_same_bytes_again_are_unchanged(edge: Edge, lines: Lines) -> None:
    await edge.put("p", "anna")
    await edge.put("p", "anna")
    assert said(lines.last) == ("put_photo", "unchanged", "", "p")


async def test_detecting_is_told_only_where_the_photo_is_kept(edge: Edge, lines: Lines) -> None:
    image = photo_of("anna")
    await edge.client.post("/detect_faces/", files=form(image, keep="false"))
    assert not lines.written
    answer = await edge.client.post("/detect_faces/", files=form(image, photo_id="p"))
    assert said(lines.last) == ("detect_faces", "done", "", "p")
    face_id = answer.json()["faces"][0]["face_id"]

    await edge.client.put("/add_face/", params={"face_id": face_id})
    assert said(lines.last) == ("add_face", "done", "", "p")
    assert lines.last["face_id"] == face_id
    await edge.client.put("/add_face/", params={"photo_id": "p", "bbox": "0,50,100,100"})
    assert said(lines.last) == ("add_face", "unchanged", "", "p")


async def test_removals_are_told_with_what_went(edge: Edge, lines: Lines) -> None:
    for photo_id in ("a", "b", "c"):
        await edge.put(photo_id, "anna", "bob", collection_id="x")
    await edge.client.delete("/remove/a")
    assert said(lines.last) == ("remove", "done", "x", "a")  # the collection that it was found in
    assert lines.last["faces"] == 2
    await edge.client.delete("/remove_all/", params={"collection_id": "x"})
    assert said(lines.last) == ("remove_all", "done", "x", None)
    assert (lines.last["photos"], lines.last["faces"]) == (2, 4)
    await edge.client.delete("/remove_all/")
    assert said(lines.last) == ("remove_all", "done", None, None)


async def test_what_was_refused_is_told_with_its_code(edge: Edge, lines: Lines) -> None:
    await edge.client.delete("/remove/nobody")
    assert said(lines.last) == ("remove", "refused", None, "nobody")
    assert lines.last["code"] == "photo_not_found"
    await edge.put("p", "anna", collection_id="mine")
    header = await edge.key("guests", Scope.ENROL, collections=frozenset({"c"}))
    answer = await edge.client.delete("/remove/p", params={"collection_id": "mine"}, headers=header)
    assert answer.status_code == 403
    assert said(lines.last) == ("remove", "refused", "mine", "p")
    assert (lines.last["actor"], lines.last["code"]) == ("key:guests", "forbidden")


async def test_what_failed_for_want_of_a_part_is_told_as_failed(
    make_edge: MakeEdge, log: AuditLog, lines: Lines
) -> None:
    faces = FakeFaceAnalyzer(errors=[InferenceUnavailable("away"), RuntimeError("a bug")])
    edge = told(make_edge(faces=faces), log)
    await edge.put("p", "anna")
    assert said(lines.last) == ("put_photo", "failed", "", "p")
    assert lines.last["code"] == "inference_unavailable"
    await edge.put("p", "anna")
    assert (lines.last["outcome"], lines.last["code"]) == ("failed", "internal")


async def test_what_the_deadline_cut_off_is_told_as_unknown(log: AuditLog, lines: Lines) -> None:
    async def never_ends() -> None:
        async with log.action("put_photo", photo_id="p"):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(never_ends(), 0.01)
    # In the same thread, so after the line.
    await log.write(AuditEntry("next", key_actor("k")))
    assert [entry["outcome"] for entry in lines.entries] == ["unknown", "done"]


async def test_reading_and_searching_are_not_told(edge: Edge, lines: Lines) -> None:
    await edge.put("p", "anna")
    lines.written.clear()
    await edge.search("anna")
    for path in ("/photos/p", "/photos/p/image", "/embed_status/"):
        assert (await edge.client.get(path)).status_code == 200
    assert not lines.written


async def test_no_name_breaks_a_line(edge: Edge, lines: Lines) -> None:
    name = "a\u2028b\u0085 “é” \\n"
    line = AuditEntry("put_photo", key_actor(name), photo_id=name)
    await AuditLog(lines).write(line)
    (written,) = lines.written
    assert written.isascii()
    assert b"\n" not in written
    assert lines.last["photo_id"] == name
    assert "embedding" not in written.decode()


async def test_when_no_line_can_be_written_what_happened_stands_and_nothing_more_happens(
    edge: Edge, lines: Lines
) -> None:
    await edge.put("before", "anna")
    lines.is_full = True
    with capture_logs() as logged:
        assert (await edge.put("during", "anna")).status_code == 200
        answer = await edge.put("after", "anna")
        removal = await edge.client.delete("/remove/before")
    assert (answer.status_code, answer.json()["code"]) == (503, "audit_unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert removal.status_code == 503
    unwritten = [entry for entry in logged if entry["event"] == "audit_line_not_written"]
    assert [json.loads(entry["line"])["photo_id"] for entry in unwritten] == ["during"]
    assert unwritten[0]["log_level"] == "error"

    # Nothing of what was refused happened, and what reads goes on.
    listed = (await edge.client.get("/embed_status/")).json()["items"]
    assert {item["photo_id"] for item in listed} == {"before", "during"}
    assert (await edge.search("anna")).status_code == 200

    lines.is_full = False
    assert (await edge.put("after", "anna")).status_code == 200
    assert [entry["photo_id"] for entry in lines.entries] == ["before", "during", "after"]


async def test_a_line_that_waits_is_written_at_the_end_at_the_latest(lines: Lines) -> None:
    log = AuditLog(lines)
    lines.is_full = True
    await log.write(AuditEntry("remove", key_actor("k")))
    with pytest.raises(AuditUnavailable):
        await log.require()
    lines.is_full = False
    await log.close()
    assert len(lines.written) == 1
