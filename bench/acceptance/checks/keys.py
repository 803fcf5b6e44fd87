"""Nothing behind the key is answered without a good one."""

from __future__ import annotations

from bench.acceptance.operations import DOCUMENTED
from bench.acceptance.trial import Trial

PART = "Keys"
_BAD: dict[str, dict[str, str]] = {
    "no key": {},
    "an empty key": {"X-Api-Key": ""},
    "a wrong key": {"X-Api-Key": "not-the-key-of-this-service"},
}


def keys(trial: Trial) -> None:
    """Every operation that needs a key, with bad ones."""
    # A service that asks for no key does what it is told: let that be nothing to anybody.
    query = {"collection_id": trial.names.collection("keys")}
    for operation in DOCUMENTED:
        if not operation.needs_key:
            continue
        for what, headers in _BAD.items():
            answer = trial.calls(operation, photo_id="a", query=query, headers=headers)
            trial.findings.judge(PART, f"{operation}, {what}", "401 unauthorized", answer.said)
