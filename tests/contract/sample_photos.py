"""Photos and faces to write into records."""

from __future__ import annotations

from storage.identity import PhotoKey, SpaceId
from storage.records.model import Box, Committed, NewFace, Photo, Quality, Revision
from storage.records.port import RecordStore

SPACE = SpaceId("arcface_1a2b")
OTHER_SPACE = SpaceId("arcface_9f9f")
BEACH = PhotoKey("wedding", "beach.jpg")


def face(n: int = 0, overall: float = 0.83) -> NewFace:
    """A face that differs from others by `n`, in figures that no float32 holds."""
    return NewFace(
        box=Box(10.1 + n, 20.2, 33.3, 44.4),
        landmarks=((12.1, 30.5), (25.7, 30.1), (19.0, 40.0), (13.3, 50.2), (24.4, 1 / 3)),
        detection_score=0.91,
        quality=Quality(overall=overall, size=44.4, sharpness=0.77, yaw=-8.1, pitch=3.0, roll=1.2),
    )


def sha256(n: int) -> str:
    """The digest of a photo's bytes."""
    return f"{n:064x}"


async def began(records: RecordStore, photo: PhotoKey = BEACH, content: int = 1) -> Revision:
    """A pending revision."""
    return await records.begin(photo, sha256(content), 1000 + content)


async def enrolled(
    records: RecordStore, photo: PhotoKey = BEACH, content: int = 1, faces: int = 2
) -> Committed:
    """A photo with all its faces in the index."""
    mine = await began(records, photo, content)
    return await records.commit_live(
        mine.id, width=640, height=480, faces=[face(n) for n in range(faces)], space=SPACE
    )


async def detected(
    records: RecordStore, photo: PhotoKey = BEACH, content: int = 1, faces: int = 2
) -> Photo:
    """A photo whose faces were seen; none is in the index."""
    mine = await began(records, photo, content)
    return await records.commit_staged(
        mine.id, width=640, height=480, faces=[face(n) for n in range(faces)]
    )
