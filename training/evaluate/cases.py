"""What is special about a photo of ``photos.json``: a total hides which ones are the hard ones."""

from __future__ import annotations

from collections.abc import Mapping


def case_of(photo: Mapping[str, object]) -> str:
    """The case of an entry of ``photos.json``: the first that fits, in words for a table."""
    file, note = str(photo["file"]), str(photo.get("note", ""))
    most = int(str(photo["faces_max"]))
    cases = {
        "without faces": most == 0,
        "drawings": "cartoon" in file,
        "masks": "mask" in file,
        "heads turned, tilted or in profile": file.startswith("pose_"),
        "faces that fill the frame": "fills the frame" in note,
        "strong blur": note == "strong blur",
        "several faces, or cut ones": most > 1,
    }
    return next((case for case, fits in cases.items() if fits), "others")
