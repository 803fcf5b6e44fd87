"""The same load for other generators: Locust is run, the files of ghz and k6 are checked."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from google.protobuf import json_format

from bench.acceptance.locust_stats import read_stats
from facesearch.inference.v1 import inference_pb2 as pb
from tests.integration.processes import ROOT

REFUSED = 5
"""Which of the searches gets a 429."""
PERSON = b"\xff\xd8\xff\xe0a selfie"


async def test_locust_searches_at_a_constant_rate_and_never_twice_alike(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").write_bytes(PERSON)
    heads: list[bytes] = []
    bodies: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                heads.append(head)
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                bodies.append(await reader.readexactly(length))
                if len(bodies) == REFUSED:
                    writer.write(b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 21\r\n\r\n")
                    writer.write(b'{"code":"overloaded"}')
                else:
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return  # Locust hung up
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    command = ["-m", "locust", "-f", "bench/locust/locustfile.py", "--headless", "--only-summary"]
    load = ["--host", f"http://127.0.0.1:{port}", "--api-key", "a-key", "--selfies", str(tmp_path)]
    load += ["--top-k", "7", "--collection", "one", "--collection", "two"]
    load += ["--json-file", str(tmp_path / "stats")]
    load += ["--failures-file", str(tmp_path / "failures.json")]
    async with server:
        locust = await asyncio.create_subprocess_exec(
            sys.executable, *command, *load, "--rate", "15", "--seconds", "2", cwd=ROOT
        )
        assert await locust.wait() == 1, "what Locust ends with where a search failed"
    # 30 are due; the clock that ends the run is not the one that starts the users.
    assert 20 <= len(bodies) <= 40
    assert all(b"X-Api-Key: a-key" in head for head in heads)
    assert len(set(bodies)) == len(bodies)
    fields = [body.split(b"\r\n")[3:12:4] for body in bodies]
    assert fields == [[b"7", b"one", b"two"]] * len(bodies)
    stats = read_stats(tmp_path / "stats.json", tmp_path / "failures.json")
    # What was sent when the time was up is answered to nobody.
    assert len(bodies) - 5 <= stats.requests <= len(bodies)
    assert stats.failures == 1
    assert stats.reasons == {"429 overloaded": 1}
    assert stats.percentile_ms(99) >= stats.percentile_ms(50)


async def test_selfies_for_other_generators_are_files_and_messages(
    tmp_path: Path, shared: Path
) -> None:
    folder = tmp_path / "selfies"
    photos = ["--photos", str(shared / "data" / "photos"), "--count", "2"]
    writing = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.load.selfies", str(folder), *photos, cwd=ROOT
    )
    assert await writing.wait() == 0
    messages = json.loads((folder / "analyze.json").read_text())
    requests = [json_format.ParseDict(message, pb.AnalyzeRequest()) for message in messages]
    files = [(folder / f"{number}.jpg").read_bytes() for number in range(2)]
    assert [request.images[0].data for request in requests] == files
    assert {request.options.look for request in requests} == {pb.LOOK_EARLY_STOP}


def test_ghz_is_told_of_the_contract_as_it_is() -> None:
    told = json.loads((ROOT / "bench" / "ghz" / "analyze.json").read_text())
    service, _, method = told["call"].rpartition(".")
    descriptor = pb.DESCRIPTOR.services_by_name["InferenceService"]
    assert service == descriptor.full_name
    assert method in descriptor.methods_by_name
    for folder in [*told["import-paths"], told["proto"]]:
        assert (ROOT / folder).exists()
