"""The reference specification's acceptance (§12) as one command.

    make acceptance                     10,000 photos, 100 searches/s for 5 minutes with each top_k
    python -m bench.acceptance --short  a rehearsal
    python -m bench.acceptance --url https://faces.example.org    a service that was deployed

Starts the stores, inference and an edge, calls every endpoint, fills two collections, runs the load
test and writes `acceptance-report.md`. Exit code 1: a line of it fails. 2: it could not be done.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.acceptance.calls import CallFailed
from bench.acceptance.deployed import NotReady
from bench.acceptance.options import asked_of
from bench.acceptance.report import markdown
from bench.acceptance.run import accept
from bench.acceptance.samples import NoPortraits
from bench.kit.child import StartFailed
from bench.kit.picture_source import NoPictures
from bench.kit.world import end_on_sigterm

_FAILED, _NOT_DONE = 1, 2


def main(words: Sequence[str]) -> int:
    """Do it, write the report, and say what failed."""
    asked = asked_of(words)
    try:
        acceptance = accept(asked)
    except NoPictures as error:
        return _not_done(str(error).replace("--photos,", "--photos-dir,"))
    except (NoPortraits, StartFailed, NotReady, CallFailed) as error:
        return _not_done(str(error))
    asked.report.write_text(markdown(acceptance), "utf-8")
    findings = acceptance.findings
    for line in findings.failed:
        print(
            f"FAIL {line.part}: {line.what}: {line.expected}, found {line.found}", file=sys.stderr
        )
    print(
        f"{findings.judged - len(findings.failed)} of {findings.judged} lines pass; "
        f"{acceptance.seconds / 60:.1f} minutes; report: {asked.report}"
    )
    return 0 if acceptance.passes else _FAILED


def _not_done(reason: str) -> int:
    print(f"the acceptance could not be done: {reason}", file=sys.stderr)
    return _NOT_DONE


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main(sys.argv[1:]))
