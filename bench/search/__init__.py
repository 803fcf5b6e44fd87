"""P5 and P10: what a search costs beside inference, and how it grows with the base."""
