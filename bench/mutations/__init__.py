"""Damaged images against the whole service: refused in order, never a crash."""
