"""How memory grows over many photos and searches."""
