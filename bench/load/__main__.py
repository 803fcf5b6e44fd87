"""Latency under load: `python -m bench.load [--full]`."""

from bench.kit.world import main
from bench.load.measure import measure

if __name__ == "__main__":
    main(
        "load",
        "Searches at a constant rate: the reference load (P3), the highest rate, overload (P4).",
        measure,
    )
