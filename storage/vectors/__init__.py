"""Embeddings and their exact search."""
