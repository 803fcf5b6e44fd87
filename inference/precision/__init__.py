"""Whether a network may be computed in less than float32."""
