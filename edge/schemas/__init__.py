"""The answers as they go out. Field descriptions appear in /openapi.json."""
