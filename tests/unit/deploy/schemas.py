"""Whether Kubernetes takes an object, by its own schemas."""

from __future__ import annotations

import kubernetes_validate  # type: ignore[import-untyped]  # has no types of its own

from tests.unit.deploy.manifests import Manifest

KUBERNETES = "1.37"
"""The newest one whose schemas the package carries; it carries 1.25 and later."""
OLDEST = "1.30"
"""The first with `preStop.sleep` switched on; docs/deploy.md says so."""


def refusals(manifest: Manifest, version: str = KUBERNETES) -> list[str]:
    """What a Kubernetes of this version has against it; unknown fields count."""
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        place = ".".join(map(str, error.path))
        return [f"{manifest['kind']} {manifest['metadata']['name']}: {place}: {error.message}"]
    return []
