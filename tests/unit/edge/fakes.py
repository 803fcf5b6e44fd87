"""Inference that can be scripted, and stores that can be held or broken at a step."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from edge.errors import InvalidImage
from edge.use_cases.boxes import holds_centre
from edge.use_cases.model import Counting, Embed, LookPolicy, Model, SeenFace, SeenPhoto
from storage.identity import SpaceId
from storage.records.model import Box, NewFace, Quality

DIM = 16
MODEL = Model(pack="fake", version="1", space_id=SpaceId("s_fake"), dim=DIM)
OTHER_MODEL = Model(pack="other", version="1", space_id=SpaceId("s_other"), dim=DIM)

_MAGIC = b"FAKE"
_SIDE = 100.0  # of every face, in pixels; they stand side by side, with as much between them

PortT = TypeVar("PortT")


def photo_of(*people: str, shot: int = 0) -> bytes:
    """Bytes of a photo with these people, from left to right.

    "small:anna" is a face that does not count; "hidden:anna" one that only a look at its region
    finds; "poor:anna" one of a quality of 0.1, where others have 0.8. Another `shot` gives other
    bytes and slightly other embeddings.
    """
    return _MAGIC + json.dumps({"people": people, "shot": shot}).encode()


def box_of(position: int) -> Box:
    """Where the person at this position stands."""
    return Box(2 * _SIDE * position, 50.0, _SIDE, _SIDE)


def embedding_of(person: str, shot: int = 0, dim: int = DIM) -> NDArray[np.float32]:
    """The unit vector of a person; those of two shots are at a cosine of about 0.97."""
    vector = _unit(person, dim) + 0.25 * _unit(f"{person}/{shot}", dim)
    return cast("NDArray[np.float32]", (vector / np.linalg.norm(vector)).astype(np.float32))


def _unit(seed: str, dim: int) -> NDArray[np.float64]:
    digest = hashlib.sha256(seed.encode()).digest()
    vector = np.random.default_rng(int.from_bytes(digest[:8], "big")).standard_normal(dim)
    return cast("NDArray[np.float64]", vector / np.linalg.norm(vector))


class Gate:
    """A place where a call stops until it is let through."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._open = asyncio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self._open.wait()

    def open(self) -> None:
        self._open.set()


Step = Callable[[], Awaitable[None]]


@dataclass
class FakeFaceAnalyzer:
    """A FaceAnalyzer that sees what `photo_of` wrote."""

    loaded: Model = MODEL
    threshold: float | None = 0.4
    calls: list[str] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    """Raised by the next calls, one each."""
    on_analyze: Step | None = None
    """Runs before each analyze answers."""

    async def analyze(
        self,
        image: bytes,
        *,
        look: LookPolicy,
        embed: Embed,
        counting: Counting = Counting(),  # noqa: B008  # as the port has it
        region: Box | None = None,
    ) -> SeenPhoto:
        self._called("analyze")
        if self.on_analyze is not None:
            await self.on_analyze()
        people, shot = _read(image)
        faces = [
            SeenFace(
                face=_face(position, person),
                counts=not person.startswith("small:"),
                embedding=embedding_of(_name(person), shot, self.loaded.dim),
            )
            for position, person in enumerate(people)
            if region is None or holds_centre(region, box_of(position))
            if region is not None or not person.startswith("hidden:")
        ]
        return SeenPhoto(
            width=int(2 * _SIDE * max(len(people), 1)),
            height=200,
            faces=_embedded(faces, embed),
            model=self.loaded,
            inference_seconds=0.001,
        )

    async def embed(
        self, image: bytes, landmarks: Sequence[tuple[float, float]]
    ) -> tuple[NDArray[np.float32], Model]:
        self._called("embed")
        people, shot = _read(image)
        person = people[int(landmarks[0][0] // (2 * _SIDE))]
        return embedding_of(_name(person), shot, self.loaded.dim), self.loaded

    async def model(self, *, is_asked_anew: bool = False) -> Model:
        return self.loaded

    async def recommended_threshold(self, false_match_rate: float) -> float | None:
        return self.threshold

    async def ping(self) -> None:
        self._called("ping")

    async def close(self) -> None:
        return

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.errors:
            raise self.errors.pop(0)


def _read(image: bytes) -> tuple[list[str], int]:
    if not image.startswith(_MAGIC):
        raise InvalidImage("not an image")
    content = json.loads(image.removeprefix(_MAGIC))
    return content["people"], content["shot"]


def _name(person: str) -> str:
    return person.rsplit(":", maxsplit=1)[-1]


def _face(position: int, person: str) -> NewFace:
    box = box_of(position)
    return NewFace(
        box=box,
        landmarks=tuple((box.x + 10.0 * n, box.y + 10.0 * n) for n in range(1, 6)),
        detection_score=0.9,
        quality=Quality(
            overall=0.1 if person.startswith("poor:") else 0.8,
            size=10.0 if person.startswith("small:") else _SIDE,
            sharpness=0.8,
            yaw=0.0,
            pitch=0.0,
            roll=0.0,
        ),
    )


def _embedded(faces: Sequence[SeenFace], embed: Embed) -> Sequence[SeenFace]:
    counted = [face for face in faces if face.counts]
    chosen = {
        Embed.ALL: faces,
        Embed.SINGLE: counted if len(counted) == 1 else [],
        Embed.LARGEST: counted[:1],
        Embed.NONE: [],
    }[embed]
    wanted = {id(face) for face in chosen}
    return [
        face if id(face) in wanted else SeenFace(face.face, face.counts, None) for face in faces
    ]


class Steps:
    """A port whose calls are counted and can be held, failed or followed by something.

    `before["put"]` runs before the call goes through, `after["put"]` once it has.
    """

    def __init__(self, port: object) -> None:
        self._port = port
        self.calls: list[str] = []
        self.before: dict[str, Step] = {}
        self.after: dict[str, Step] = {}

    def __getattr__(self, name: str) -> object:
        method = getattr(self._port, name)
        if not inspect.iscoroutinefunction(method):
            return method

        async def step(*arguments: object, **named: object) -> object:
            self.calls.append(name)
            if name in self.before:
                await self.before[name]()
            result = await method(*arguments, **named)
            if name in self.after:
                await self.after[name]()
            return result

        return step


def failing(error: Exception) -> Step:
    """A step that fails."""

    async def fail() -> None:
        raise error

    return fail


def stepping(port: PortT) -> tuple[PortT, Steps]:
    """The port, to be used as such, and its steps."""
    steps = Steps(port)
    return cast("PortT", steps), steps
