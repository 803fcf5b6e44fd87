"""`facesearch backup` beside the real service, and `facesearch restore` into another base."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processes import run, start_inference
from tests.integration.system import client_of, start_edge

pytestmark = [pytest.mark.pack, pytest.mark.slow]

SECONDS = 120.0


def facesearch(*arguments: str | Path) -> dict[str, Any]:
    """The JSON that a command printed."""
    command = [sys.executable, "-m", "cli.main", *map(str, arguments), "--json"]
    with run(command, {}) as process:
        assert process.wait(SECONDS) == 0, process.text()
        figures: dict[str, Any] = json.loads("\n".join(process.lines("stdout")))
        return figures


def test_a_base_that_is_served_is_backed_up_and_served_again_elsewhere(
    tmp_path: Path, pack_dir: Path, shared: Path
) -> None:
    data, folder, target = tmp_path / "data", tmp_path / "backup", tmp_path / "restored"
    photos = {
        name: (shared / "data/photos" / name).read_bytes()
        for name in ("bulk_Rob_Lowe_0001.jpg", "bulk_woman.png", "bulk_yifei.jpg")
    }
    with start_inference(pack_dir) as inference:
        with start_edge(data, inference.address) as edge, client_of(edge) as client:
            for name, image in photos.items():
                client.put_photo(name, image, "wedding")
            before = (client.listing(), client.search(photos["bulk_woman.png"], top_k=5)["results"])
            taken = facesearch("backup", folder, "--data-dir", data)
            assert (taken["photos"], taken["photos_copied"], taken["is_clean"]) == (3, 3, True)
            # The vectors are in a Lite folder that the edge has open.
            edge.wait_for_event("job_ended", kind="backup_vectors")
            edge.terminate()
        assert facesearch("restore", folder, "--data-dir", target)["faces"] == taken["faces"]
        with start_edge(target, inference.address) as edge, client_of(edge) as client:
            after = (client.listing(), client.search(photos["bulk_woman.png"], top_k=5)["results"])
            assert after == before
