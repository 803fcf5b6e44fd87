"""The REST interface as the commands use it."""
