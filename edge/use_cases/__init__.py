"""The decisions: plain async classes over ports, nothing of HTTP or engines."""
