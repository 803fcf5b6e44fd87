"""Packs: what they are, how they are found, read and fetched."""
