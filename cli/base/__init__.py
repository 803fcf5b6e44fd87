"""The base behind a data folder, opened by a command: its records, its keys, its check."""
