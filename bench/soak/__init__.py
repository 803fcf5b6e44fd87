"""An hour of mixed work with faults: nothing wrong, nothing lost, and soon back to full rate."""
