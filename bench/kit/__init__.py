"""What the benchmarks share: figures, processes, photos, rounds and latencies."""
