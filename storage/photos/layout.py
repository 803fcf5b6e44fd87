"""How photos are laid out, in a folder and in a bucket alike: `ab/cd/<revision>`.

The same in both, so that `aws s3 sync` moves a base from one to the other.
"""

from __future__ import annotations

import hashlib
import re

from storage.identity import RevisionId

_REVISION = re.compile(r"[0-9A-Za-z_-]{1,64}", re.ASCII)
_SHELF = re.compile(r"[0-9a-f]{2}", re.ASCII)


def is_revision(name: str) -> bool:
    """Whether a file or an object of this name may be a photo."""
    return _REVISION.fullmatch(name) is not None


def is_shelf(name: str) -> bool:
    """Whether a folder of this name, on either level, may hold photos."""
    return _SHELF.fullmatch(name) is not None


def place_of(revision: RevisionId) -> str:
    """`ab/cd/<revision>`, by a hash of it: its own beginning is the time. ValueError if it is none.

    65,536 folders would otherwise fill one after the other, and so would the parts of a bucket.
    """
    if not is_revision(revision):  # ours never are; it must not become a path
        raise ValueError(f"not a revision: {revision!r}")
    digest = hashlib.sha256(revision.encode()).hexdigest()
    return f"{digest[:2]}/{digest[2:4]}/{revision}"


def revision_at(place: str) -> RevisionId | None:
    """The revision that lies at this place, or None if nothing of ours does."""
    name = place.rpartition("/")[2]
    if not is_revision(name) or place_of(RevisionId(name)) != place:
        return None
    return RevisionId(name)
