"""The images of deploy/docker, built and run without an engine: `python -m bench.images`."""
