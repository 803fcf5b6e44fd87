"""P9: from the start of a process until it serves."""
