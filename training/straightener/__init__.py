"""A small network before the recogniser: puts a crop straight that lies beside its place."""
