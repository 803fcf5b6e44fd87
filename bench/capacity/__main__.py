"""Planning past this machine: `python -m bench.capacity [measure | validate | plan]`.

measure: service times of the real processes into bench/capacity/profiles/<pack>.json. validate: the
same searches measured and predicted; exit code 1 if they differ by more than 20 %. plan: the
tables and plots of docs/capacity.md. Without a word: measure and validate, as any benchmark.
"""

from __future__ import annotations

import sys

from bench.capacity.commands import benchmark, measure, plan, validate

_COMMANDS = {"measure": measure, "validate": validate, "plan": plan}

if __name__ == "__main__":
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if word in _COMMANDS:
        sys.exit(_COMMANDS[word](sys.argv[2:]))
    benchmark()
