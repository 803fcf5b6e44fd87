"""Selfies as files, for other load generators: `python -m bench.load.selfies FOLDER`."""

from __future__ import annotations

import argparse
import base64
import json
from pathlib import Path

from bench.kit.photos import selfies


def main() -> None:
    """Write 0.jpg, 1.jpg, … and analyze.json, the same as messages for ghz."""
    parser = argparse.ArgumentParser("python -m bench.load.selfies", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="where to write them")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--photos", type=Path, help="make them of these [the test data's]")
    asked = parser.parse_args()
    photos = selfies(asked.count, folder=asked.photos)
    asked.folder.mkdir(parents=True, exist_ok=True)
    for number, photo in enumerate(photos):
        (asked.folder / f"{number}.jpg").write_bytes(photo)
    messages = [
        {
            "images": [{"data": base64.b64encode(photo).decode()}],
            "options": {"look": "LOOK_EARLY_STOP"},
            "embed": "EMBED_MODE_SINGLE",
        }
        for photo in photos
    ]
    (asked.folder / "analyze.json").write_text(json.dumps(messages))
    print(f"{len(photos)} selfies in {asked.folder}")


if __name__ == "__main__":
    main()
