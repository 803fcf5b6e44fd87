"""One file for each part of the interface; each check has collections of its own."""

from __future__ import annotations

from bench.acceptance.checks.empty import empty_collections
from bench.acceptance.checks.keys import keys
from bench.acceptance.checks.listing import listing
from bench.acceptance.checks.paging import paging_and_threshold
from bench.acceptance.checks.photos import photos
from bench.acceptance.checks.removing import removing
from bench.acceptance.checks.searching import searching
from bench.acceptance.checks.two_steps import two_steps
from bench.acceptance.checks.watching import watching
from bench.acceptance.trial import Check

CHECKS: tuple[Check, ...] = (
    watching,
    keys,
    two_steps,
    photos,
    searching,
    paging_and_threshold,
    empty_collections,
    listing,
    # Last: it may empty the base.
    removing,
)
