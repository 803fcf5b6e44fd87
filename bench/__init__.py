"""Benchmarks: one folder each, one command each; every run writes JSON into results/."""
