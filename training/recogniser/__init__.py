"""The recogniser: distilled from a teacher, with names where there are names."""
