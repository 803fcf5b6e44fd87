"""What a search that stops early misses."""
