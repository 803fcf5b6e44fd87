"""The HTTP edge: keys, limits, collections, search, de-duplication. No pixels, no models."""

__version__ = "0.1.0"
