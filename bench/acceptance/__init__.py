"""The acceptance of the reference specification (§12) as one command, with a report."""
