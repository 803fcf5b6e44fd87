"""What an edge must be given when it is one of several copies (EDGE_REPLICATED).

Copies are started by a machine, from settings that somebody may have forgotten. One that came up
all the same, with a key that can be guessed or with a base of its own, would answer wrongly where
it should not answer at all.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.errors import StartRefused
from edge.settings import EdgeSettings
from storage.settings import MEMORY_URL, StorageSettings

MIN_KEY_CHARACTERS = 16
CREATE_SECRET = (
    "kubectl -n image-search create secret generic image-search "  # noqa: S105  # a command
    "--from-env-file=image-search.env"
)
"""The line of docs/deploy.md that creates what deploy/k8s/ reads."""
_IN_KUBERNETES = "KUBERNETES_SERVICE_HOST"
"""Every container of a pod has this variable."""


def check_key(settings: EdgeSettings, environment: Mapping[str, str]) -> None:
    """Raise StartRefused for a copy without a key that cannot be guessed."""
    if not settings.replicated:
        return
    key = "" if settings.api_key is None else settings.api_key.get_secret_value()
    if len(key) >= MIN_KEY_CHARACTERS:
        return
    found = f"has {len(key)} characters" if key else "is not set"
    raise StartRefused(
        f"API_KEY {found}, and an edge that is one of several (EDGE_REPLICATED) needs one of at "
        f"least {MIN_KEY_CHARACTERS} characters{_hint(environment)}"
    )


def check_stores(
    settings: EdgeSettings, storage: StorageSettings, environment: Mapping[str, str]
) -> None:
    """Raise StartRefused for a copy whose base the others would not see."""
    if not settings.replicated:
        return
    shared = {
        "STORAGE_RECORDS_URL": storage.uses_postgresql,
        "STORAGE_VECTORS_URL": storage.uses_milvus_server,
        # A file:// may be a volume that all of them mount.
        "STORAGE_PHOTOS_URL": storage.photos_url not in {"", MEMORY_URL},
    }
    missing = [variable for variable, is_shared in shared.items() if not is_shared]
    if missing:
        raise StartRefused(
            f"{', '.join(missing)}: an edge that is one of several (EDGE_REPLICATED) needs "
            f"PostgreSQL, a Milvus server and a bucket or shared folder{_hint(environment)}"
        )


def _hint(environment: Mapping[str, str]) -> str:
    if _IN_KUBERNETES not in environment:
        return ""
    return f"; it comes from a Secret, made with: {CREATE_SECRET} (delete a wrong one first)"
