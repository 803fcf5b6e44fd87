"""The contract of inference, by version."""
