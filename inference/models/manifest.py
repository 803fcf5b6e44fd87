"""``pack.toml``: what a pack says about itself. Optional; all of it is checked.

id = "buffalo_l"
version = "1.0.0"
licence = "non-commercial research"
dim = 512
thresholds_from = "LFW View 2, all against all"
turn_margin = 0.05                             # only where the detector wants another one

[[files]]
name = "det_10g.onnx"
role = "detector"                              # or "recogniser"
sha256 = "…"                                   # 64 hex digits
preprocessing = { mean = 127.5, std = 128.0 }  # only where the graph does not tell

[[thresholds]]
false_match_rate = 1e-4
threshold = 0.402
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from inference.errors import PackError
from inference.models.graphs import Normalisation

MANIFEST_NAME = "pack.toml"

Role = Literal["detector", "recogniser"]
ROLES: tuple[Role, ...] = ("detector", "recogniser")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Preprocessing(_Entry):
    """(x − mean) / std on RGB of 0–255."""

    mean: float = Field(allow_inf_nan=False)
    std: float = Field(gt=0, allow_inf_nan=False)

    def normalisation(self) -> Normalisation:
        return Normalisation(self.mean, self.std)


class ManifestFile(_Entry):
    """One network of the pack."""

    name: Annotated[str, Field(min_length=1, pattern=r"^[^/\\]+$")]
    role: Role
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    preprocessing: Preprocessing | None = None


class Threshold(_Entry):
    """A cosine similarity and how often two different people pass it."""

    false_match_rate: float = Field(gt=0, lt=1)
    threshold: float = Field(ge=-1, le=1)


class Manifest(_Entry):
    """What ``pack.toml`` holds."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    version: Annotated[str, Field(min_length=1, max_length=64)]
    licence: str = ""
    dim: Annotated[int, Field(gt=0)] | None = None
    files: Sequence[ManifestFile]
    thresholds: Sequence[Threshold] = ()
    thresholds_from: str = ""
    """The data that the thresholds come from."""
    turn_margin: Annotated[float, Field(ge=0, le=1)] | None = None
    """`LookPolicy.turn_margin` for this detector: how sure detectors are of faces upside down
    differs."""

    @model_validator(mode="after")
    def _each_role_once(self) -> Self:
        if sorted(file.role for file in self.files) != sorted(ROLES):
            raise ValueError("files must name one detector and one recogniser")
        return self

    def file(self, role: Role) -> ManifestFile:
        """The file of a role."""
        return next(file for file in self.files if file.role == role)


def read_manifest(folder: Path) -> Manifest | None:
    """What the pack in a folder says about itself; None: nothing. Raises PackError."""
    path = folder / MANIFEST_NAME
    try:
        with path.open("rb") as stream:
            return Manifest.model_validate(tomllib.load(stream))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PackError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PackError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise PackError(f"{path}: {where}: {first['msg']}") from error
