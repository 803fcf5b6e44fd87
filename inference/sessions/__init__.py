"""The only place that knows the runtimes."""
