"""The model card: words by hand, every figure from a measurement's JSON."""
