"""Packs as the command line shows, checks and fetches them."""
