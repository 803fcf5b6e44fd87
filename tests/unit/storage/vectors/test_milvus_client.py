"""The connection to a Milvus server that is away."""

from __future__ import annotations

import socket
import time

import grpc

from storage.vectors.milvus_client import channel_options


def test_a_server_that_is_away_is_tried_about_every_second() -> None:
    """gRPC's own pauses would be 1, 1.6 and 2.6 s, and in the end 120 s."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        target = f"127.0.0.1:{server.getsockname()[1]}"
        options = list(channel_options(keepalive=True).items())
        with grpc.insecure_channel(target, options=options) as channel:
            channel.subscribe(lambda _: None, try_to_connect=True)
            tried = []
            for _ in range(4):
                attempt, _address = server.accept()
                tried.append(time.monotonic())
                attempt.close()  # as a port nobody listens on, but counted
    # Together at most 0.1 + 0.16 + 0.26 s, and the machine may be busy.
    assert tried[-1] - tried[0] < 3
