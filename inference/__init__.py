"""The inference server: decode, detect, align, embed. Knows pixels, models and devices only."""
