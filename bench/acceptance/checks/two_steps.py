"""POST /detect_faces/ and PUT /add_face/: a photo in two steps."""

from __future__ import annotations

from bench.acceptance.answers import Added, Found, Photo
from bench.acceptance.operations import ADD_FACE, DETECT_FACES, SEARCH
from bench.acceptance.samples import padded
from bench.acceptance.trial import Trial

_MAX_BYTES = 20 * 2**20
_PHOTO = "in two/steps"
"""A slash is a character like any other."""
_CORNER = "0,0,12,12"


def two_steps(trial: Trial) -> None:
    """Detected, then added, then found."""
    collection = trial.names.collection("two-steps")
    portrait = trial.samples.portraits[0]
    fields = {"photo_id": _PHOTO, "collection_id": collection}
    answer = trial.calls(DETECT_FACES, image=portrait, fields=fields)
    if not trial.expect(DETECT_FACES, "a photo of one person", answer, "200"):
        return
    photo = answer.read(Photo)
    trial.same(DETECT_FACES, "faces", 1, len(photo.faces))
    trial.same(DETECT_FACES, "status of the face", ["detected"], [f.status for f in photo.faces])
    again = trial.calls(DETECT_FACES, image=portrait, fields=fields).read(Photo)
    trial.same(DETECT_FACES, "the same photo again: face ids", photo.face_ids, again.face_ids)
    before = trial.search(portrait, collection).read(Found)
    trial.same(SEARCH, "a photo of which no face was added", [], before.photos)

    face_id, box = photo.faces[0].face_id or "", str(photo.faces[0].bbox)
    ways = {
        "by face_id": ({"face_id": face_id}, True),
        "the same again": ({"face_id": face_id}, False),
        "by photo_id and bbox": ({**fields, "bbox": box}, False),
        "with the bbox as JSON": ({**fields, "bbox": photo.faces[0].bbox.model_dump_json()}, False),
    }
    for what, (named, is_new) in ways.items():
        answer = trial.calls(ADD_FACE, fields=named)
        if trial.expect(ADD_FACE, what, answer, "200"):
            added = answer.read(Added)
            trial.same(
                ADD_FACE,
                f"{what}: face, created",
                (face_id, is_new),
                (added.face_id, added.created),
            )
    after = trial.search_until(lambda found: bool(found.results), portrait, collection)
    trial.same(SEARCH, "the photo once a face was added", [(collection, _PHOTO)], after.photos)
    _into_another_collection(trial, face_id)
    _refused_faces(trial, fields)
    _other_pictures(trial)


def _into_another_collection(trial: Trial, face_id: str) -> None:
    """The specification names the collection at this step."""
    other = trial.names.collection("two-steps-too")
    answer = trial.calls(ADD_FACE, fields={"face_id": face_id, "collection_id": other})
    if trial.expect(ADD_FACE, "into another collection", answer, "200"):
        added = answer.read(Added)
        trial.same(ADD_FACE, "which the face is in then", other, added.collection_id)
    portrait = trial.samples.portraits[0]
    found = trial.search_until(lambda page: bool(page.results), portrait, other)
    trial.same(SEARCH, "the photo in that collection", [(other, _PHOTO)], found.photos)


def _refused_faces(trial: Trial, fields: dict[str, str]) -> None:
    cases = {
        "404 face_not_found": {"face_id": "f_unknown_0"},
        "404 photo_not_found": {**fields, "photo_id": "unknown", "bbox": "1,1,50,50"},
        "422 no_faces_detected": {**fields, "bbox": _CORNER},
        "400 invalid_parameter": {"photo_id": _PHOTO},
    }
    for said, named in cases.items():
        trial.expect(ADD_FACE, "refused", trial.calls(ADD_FACE, fields=named), said)


def _other_pictures(trial: Trial) -> None:
    samples, unkept = trial.samples, {"keep": "false"}
    counts = {"a PNG": (samples.png, 1), "a WebP": (samples.webp, 1), "nobody": (samples.nobody, 0)}
    for what, (image, faces) in counts.items():
        answer = trial.calls(DETECT_FACES, image=image, fields=unkept)
        if trial.expect(DETECT_FACES, what, answer, "200"):
            trial.same(DETECT_FACES, f"{what}: faces", faces, len(answer.read(Photo).faces))
    couple = trial.calls(DETECT_FACES, image=samples.couple, fields=unkept)
    if trial.expect(DETECT_FACES, "two people", couple, "200"):
        trial.same(DETECT_FACES, "two people: faces", 2, len(couple.read(Photo).faces))
    for what, image in samples.unreadable.items():
        answer = trial.calls(DETECT_FACES, image=image, fields=unkept)
        trial.expect(DETECT_FACES, what, answer, "415 invalid_image_format")
    large = trial.calls(
        DETECT_FACES, image=padded(samples.portraits[0], _MAX_BYTES + 1), fields=unkept
    )
    trial.expect(DETECT_FACES, "more than 20 MiB", large, "413 image_too_large")
    missing = trial.calls(DETECT_FACES, fields=unkept)
    trial.expect(DETECT_FACES, "no image", missing, "400 invalid_parameter")
