"""The detector: SCRFD's contract at a size that fits a CPU, taught by a larger SCRFD."""
