"""One Markdown report with plots of what all benchmarks found."""
