"""Photo bytes as they came."""
