"""A pack: a detector and a recogniser that belong together, with their identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from inference.errors import PackError
from inference.models.find import is_embedded
from inference.models.graphs import DetectorGraph, RecogniserGraph, read_graph
from inference.models.manifest import Manifest, ManifestFile, Role, Threshold, read_manifest
from inference.pipeline.align import TEMPLATE_NAME

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pack:
    """A folder with the networks that make embeddings, inspected and with its digests."""

    id: str
    version: str
    """From pack.toml, or made of the digests of its files."""
    folder: Path
    detector: Path
    recogniser: Path
    detector_graph: DetectorGraph
    recogniser_graph: RecogniserGraph
    sha256: Mapping[str, str]
    """64 hex digits by file name: the detector and the recogniser."""
    digest: str
    """SHA-256 over the digests of the files, 64 hex digits."""
    space_id: str
    """Vectors of two spaces must never be compared."""
    licence: str
    """As the pack states it; empty: it does not say."""
    thresholds: Sequence[Threshold]
    """Lowest false match rate last."""
    thresholds_from: str
    """The data that they come from, as the pack states it; empty: it does not say."""
    turn_margin: float | None = None
    """Of `LookPolicy`, as the pack states it; None: it does not say."""

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.recogniser_graph.dim


def load_pack(folder: Path) -> Pack:
    """Inspect and check the pack in a folder.

    With a pack.toml the files, their digests, roles and dim must be what it says; without one the
    graphs tell, and the first detector and the first recogniser by name are taken, as InsightFace
    does. Raises PackError, which says what is wrong and what to do.
    """
    folder = pack_folder(folder)
    manifest = read_manifest(folder)
    if manifest is None:
        detector, recogniser = _by_inspection(folder)
        digests = {file.name: sha256_of(file) for file in (detector.file, recogniser.file)}
    else:
        digests = _checked_digests(folder, manifest)
        detector, recogniser = _by_manifest(folder, manifest)
    digest = hashlib.sha256(
        "".join(f"{name} {digests[name]}\n" for name in sorted(digests)).encode()
    ).hexdigest()
    return Pack(
        id=manifest.id if manifest else folder.name,
        version=manifest.version if manifest else digest[:12],
        folder=folder,
        detector=detector.file,
        recogniser=recogniser.file,
        detector_graph=detector,
        recogniser_graph=recogniser,
        sha256=digests,
        digest=digest,
        space_id=space_id(digests[recogniser.file.name], recogniser.dim),
        licence=manifest.licence if manifest else "",
        thresholds=tuple(
            sorted(manifest.thresholds, key=lambda one: -one.false_match_rate) if manifest else ()
        ),
        thresholds_from=manifest.thresholds_from if manifest else "",
        turn_margin=manifest.turn_margin if manifest else None,
    )


def space_id(recogniser_sha256: str, dim: int) -> str:
    """The embedding space of a recogniser: the same weights, template and length, the same id."""
    content = f"{recogniser_sha256}|{TEMPLATE_NAME}|{dim}"
    return "space_" + hashlib.sha256(content.encode()).hexdigest()[:16]


def expect_dim(pack: Pack, dim: int | None) -> None:
    """Raises PackError if the pack's embeddings have another length; None expects nothing."""
    if dim is not None and pack.dim != dim:
        raise PackError(
            f"pack {pack.id} makes embeddings of {pack.dim} values, but {dim} are expected; "
            "choose another pack, or change the expected dim"
        )


def pack_folder(folder: Path) -> Path:
    """Where the files of a pack lie: the folder itself, or the only one in it that has some.

    InsightFace's antelopev2.zip unpacks one folder too deep. Raises PackError.
    """
    if not folder.is_dir():
        raise PackError(f"{folder} is not a folder; {_what_to_do(folder)}")
    if _onnx_files(folder):
        return folder
    deeper = [inner for inner in _folders(folder) if _onnx_files(inner)]
    if len(deeper) != 1:
        raise PackError(f"{folder} holds no .onnx files; {_what_to_do(folder)}")
    log.info("pack lies one folder deeper", folder=str(folder), found=str(deeper[0]))
    return deeper[0]


def sha256_of(file: Path) -> str:
    """SHA-256 of a file, 64 hex digits. Raises PackError if it cannot be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise PackError(f"{file} is missing; {_what_to_do(file.parent)}") from error
    except OSError as error:
        raise PackError(f"{file} cannot be read: {error.strerror}") from error


def _by_inspection(folder: Path) -> tuple[DetectorGraph, RecogniserGraph]:
    detectors: list[DetectorGraph] = []
    recognisers: list[RecogniserGraph] = []
    for file in _onnx_files(folder):
        match read_graph(file):
            case DetectorGraph() as detector:
                detectors.append(detector)
            case RecogniserGraph() as recogniser:
                recognisers.append(recogniser)
            case None:
                log.debug("file of another task is ignored", file=file.name)
    for role, found in (("detector", detectors), ("recogniser", recognisers)):
        if not found:
            names = ", ".join(file.name for file in _onnx_files(folder))
            raise PackError(f"{folder} holds no {role} (its files: {names}); {_what_to_do(folder)}")
        if len(found) > 1:
            log.warning(
                "several files have one role, the first is taken; pack.toml can name another",
                role=role,
                files=[graph.file.name for graph in found],
            )
    return detectors[0], recognisers[0]


def _by_manifest(folder: Path, manifest: Manifest) -> tuple[DetectorGraph, RecogniserGraph]:
    detector = read_graph(folder / manifest.file("detector").name)
    if not isinstance(detector, DetectorGraph):
        raise _wrong_role(folder, manifest, "detector")
    recogniser = read_graph(folder / manifest.file("recogniser").name)
    if not isinstance(recogniser, RecogniserGraph):
        raise _wrong_role(folder, manifest, "recogniser")
    if manifest.dim is not None and manifest.dim != recogniser.dim:
        raise PackError(
            f"{recogniser.file.name} makes embeddings of {recogniser.dim} values, but pack.toml of "
            f"{folder} says {manifest.dim}"
        )
    given = manifest.file("detector").preprocessing
    if given is not None:
        detector = replace(detector, normalisation=given.normalisation())
    given = manifest.file("recogniser").preprocessing
    if given is not None:
        recogniser = replace(recogniser, normalisation=given.normalisation())
    return detector, recogniser


def _wrong_role(folder: Path, manifest: Manifest, role: Role) -> PackError:
    return PackError(f"{folder / manifest.file(role).name} is no {role}, but pack.toml says so")


def _checked_digests(folder: Path, manifest: Manifest) -> dict[str, str]:
    """The digests of the files, which are those of pack.toml. Raises PackError."""
    digests = {file.name: sha256_of(folder / file.name) for file in manifest.files}
    for file in manifest.files:
        if digests[file.name] != file.sha256:
            raise PackError(_mismatch(folder, file, digests, manifest))
    return digests


def _mismatch(
    folder: Path, file: ManifestFile, digests: Mapping[str, str], manifest: Manifest
) -> str:
    for other in manifest.files:
        if other.sha256 == digests[file.name]:
            return (
                f"{folder / file.name} is in truth {other.name} (its digest says so); the files "
                f"are swapped: {_what_to_do(folder)}"
            )
    return (
        f"{folder / file.name} is damaged or another version: its SHA-256 is "
        f"{digests[file.name]}, pack.toml says {file.sha256}; {_what_to_do(folder)}"
    )


def _what_to_do(folder: Path) -> str:
    if is_embedded(folder):
        return "it came with facesearch: install facesearch again, or choose another with --pack"
    return "copy the pack again, or run: facesearch models pull NAME"


def _onnx_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.onnx") if file.is_file())


def _folders(folder: Path) -> list[Path]:
    return sorted(inner for inner in folder.iterdir() if inner.is_dir())
