"""New ids, sortable by the time they were made."""

from __future__ import annotations

import secrets
import time

from storage.identity import RevisionId

# Crockford's base 32 in lower case: no i, l, o and u, so that nobody misreads one.
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 26
_RANDOM_BITS = 80


def new_id(milliseconds: int | None = None) -> str:
    """A ULID (https://github.com/ulid/spec): 48 bits of time, 80 random bits, as 26 characters.

    `milliseconds` since 1970 is now where it is not given. Ids of one millisecond come in any
    order.
    """
    moment = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    value = (moment << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    return "".join(_DIGITS[(value >> shift) & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))


def new_revision_id() -> RevisionId:
    """The id of a revision that nobody has used and nobody else will."""
    return RevisionId(new_id())
