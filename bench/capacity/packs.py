"""What packs cost that were not measured here, from what is published of their networks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.capacity.model.gpu import BatchTime, Gpu
from bench.capacity.profile import Profile

_MS = 0.001


@dataclass(frozen=True, slots=True)
class Networks:
    """Multiplications of a pack's networks, in billions."""

    detector_vga: float
    """Of the detector for 640 × 480 pixels."""
    recogniser: float
    """Of the recogniser for a face."""


MBF128 = Networks(detector_vga=2.57, recogniser=0.234)
"""Counted in the graphs of `mbf128` (SCRFD 2.5 GF, MobileFaceNet)."""
STARTER = Networks(detector_vga=0.78, recogniser=0.20)
"""Counted in its graphs; the straightener counts with the recogniser."""
BUFFALO_L = Networks(detector_vga=9.98, recogniser=6.31)
"""SCRFD-10GF as InsightFace's detection/scrfd/README.md gives it. ResNet-50 for 112 × 112 counted
from its published layers (3, 4, 14, 3 blocks of two 3 × 3 convolutions; arcface_torch, iresnet.py).
The pack itself was not run."""

COUNTED = {"mbf128": MBF128, "starter": STARTER}
"""By the name of the pack."""

RTX_5090 = Gpu(
    detect=BatchTime.through(1.15 * _MS, 16 * 0.18 * _MS, 16),
    embed=BatchTime.through(3.4 * _MS, 16 * 0.33 * _MS, 16),
)
"""Networks of `buffalo_l` by TensorRT in float16, batches of 1 and 16: looks of 320² in 1.15 ms and
16 × 0.18 ms, faces in 3.4 ms and 16 × 0.33 ms (model card of alonsorobots/scrfd_320_batched)."""


def on_cpu(measured: Profile, of: Networks, pack: str, networks: Networks) -> Profile:
    """A pack's profile on the machine of another's: detector and recogniser by multiplications.

    measured: of a pack whose networks are `of`. Large networks do more multiplications a second
    than small ones, so this is an upper bound for a larger pack.
    """
    detect = networks.detector_vga / of.detector_vga
    embed = networks.recogniser / of.recogniser
    photos = [
        photo.times(decode=1.0, detect=detect, align=1.0, embed=embed) for photo in measured.photos
    ]
    before = sum(photo.total for photo in measured.photos)
    factor = sum(photo.total for photo in photos) / before
    return replace(
        measured,
        pack=pack,
        source=f"{measured.source}, scaled by the multiplications of its networks",
        photos=photos,
        photo_seconds=measured.photo_seconds * factor,
    )


def on_gpu(networks: Networks, slower: float = 1.0) -> Gpu:
    """The published GPU with another pack's networks, on a GPU so many times slower.

    The fixed part of a batch stays: it is launches and copies.
    """
    detect, embed = RTX_5090.detect.times(slower), RTX_5090.embed.times(slower)
    return replace(
        RTX_5090,
        detect=replace(detect, each=detect.each * networks.detector_vga / BUFFALO_L.detector_vga),
        embed=replace(embed, each=embed.each * networks.recogniser / BUFFALO_L.recogniser),
    )
