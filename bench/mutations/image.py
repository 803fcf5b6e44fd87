"""One damaged image again: `python -m bench.mutations.image SEED NUMBER [FILE]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.mutations.mutation import mutation
from bench.mutations.originals import originals


def main() -> None:
    """Make it, say what it is, write it."""
    parser = argparse.ArgumentParser("python -m bench.mutations.image", description=main.__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("number", type=int)
    parser.add_argument("file", type=Path, nargs="?", help="[standard output]")
    parser.add_argument("--photos", type=Path, help="folder of photos [the test data's]")
    asked = parser.parse_args()
    made = mutation(asked.seed, asked.number, originals(asked.photos))
    print(made.name, file=sys.stderr)
    if asked.file is None:
        sys.stdout.buffer.write(made.data)
    else:
        asked.file.write_bytes(made.data)


if __name__ == "__main__":
    main()
