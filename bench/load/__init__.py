"""Constant arrival rates: what callers wait when requests come whether or not the last is done."""
