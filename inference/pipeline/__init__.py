"""From bytes to embeddings: one stage, one file; `analyze` is the walk through them."""
