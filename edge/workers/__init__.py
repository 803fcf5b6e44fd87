"""Several edge processes on one port: a parent that starts and watches them, and their side."""
