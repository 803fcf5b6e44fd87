"""Images a second of gRPC `Analyze`: 16 callers at once, against one caller alone.

    python -m bench.engine --pack ../shared/models/mbf128 --photos ../shared/data/photos

From encoded bytes to vectors with every look, in turns. The ratio of the medians is the figure:
absolute rates are the machine's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

import grpc

from facesearch.inference.v1 import inference_pb2 as pb
from facesearch.inference.v1 import inference_pb2_grpc as rpc

MANY = 16
MAX_MESSAGE_BYTES = 64 << 20
RESULTS = Path(__file__).resolve().parents[1] / "results"


async def rate_of(
    service: rpc.InferenceServiceAsyncStub, photos: list[bytes], count: int, callers: int
) -> float:
    """Images a second with so many calls at once."""
    queue = islice(cycle(photos), count)
    started = time.perf_counter()

    async def call() -> None:
        for photo in queue:
            answer = await service.Analyze(pb.AnalyzeRequest(images=[pb.Image(data=photo)]))
            if answer.results[0].status.code:
                raise RuntimeError(answer.results[0].status.message)

    async with asyncio.TaskGroup() as calls:
        for _ in range(callers):
            calls.create_task(call())
    return count / (time.perf_counter() - started)


@contextmanager
def server(pack: str) -> Iterator[int]:
    """An inference server on a free port."""
    env = os.environ | {
        "INFERENCE_PACK": pack,
        "INFERENCE_PORT": "0",
        "INFERENCE_METRICS_PORT": "0",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "inference"], env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            lines = iter(process.stdout or ())
            port = next(int(json.loads(line)["port"]) for line in lines if '"serving"' in line)
            # A pipe that nobody reads fills up and holds the server.
            threading.Thread(target=lambda: list(lines), daemon=True).start()
            yield port
        finally:
            process.kill()


async def measure(pack: str, photos: list[bytes], rounds: int, count: int) -> dict[str, object]:
    """Rounds of both sides in turns; one more before them warms up."""
    one, many = [], []
    options = [
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ]
    with server(pack) as port:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
            service = rpc.InferenceServiceStub(channel)
            for number in range(rounds + 1):
                alone = await rate_of(service, photos, count, 1)
                together = await rate_of(service, photos, count, MANY)
                if number:
                    one.append(alone)
                    many.append(together)
                    print(
                        f"round {number}: 1 caller {alone:.1f}/s, {MANY} callers {together:.1f}/s"
                    )
    return {
        "benchmark": "engine",
        "pack": Path(pack).name,
        "images_a_round": count,
        "images_per_second_of_1_caller": one,
        f"images_per_second_of_{MANY}_callers": many,
        "ratio_of_medians": statistics.median(many) / statistics.median(one),
        "machine": {"processor": platform.machine(), "cores": os.cpu_count()},
        "python": platform.python_version(),
    }


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description="Images a second of gRPC Analyze.")
    parser.add_argument("--pack", required=True, help="folder of a pack")
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=100, help="images a round")
    asked = parser.parse_args()
    photos = [file.read_bytes() for file in sorted(asked.photos.iterdir()) if file.is_file()]
    report = asyncio.run(measure(asked.pack, photos, asked.rounds, asked.count))
    RESULTS.mkdir(exist_ok=True)
    place = RESULTS / "engine.json"
    place.write_text(json.dumps(report, indent=2) + "\n")
    print(f"{MANY} callers / 1 caller: {report['ratio_of_medians']:.2f}; written to {place}")


if __name__ == "__main__":
    main()
