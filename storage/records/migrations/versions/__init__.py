"""The steps. Each file is one, and names the one before it."""
