"""PUT and GET /photos/: a photo in one step, its record, its bytes."""

from __future__ import annotations

from bench.acceptance.answers import Photo
from bench.acceptance.operations import (
    GET_IMAGE,
    GET_IMAGE_BY_QUERY,
    GET_PHOTO,
    GET_PHOTO_BY_QUERY,
    PUT_PHOTO,
    PUT_PHOTO_BY_QUERY,
    REMOVE,
    SEARCH,
)
from bench.acceptance.trial import Trial

_NAME = "Über den Dächern/№ 1.jpg"
"""Any script, blanks and slashes."""


def photos(trial: Trial) -> None:
    """Put in, read, sent again, refused."""
    collection = trial.names.collection("photos")
    image = trial.samples.portraits[1]
    fields = {"collection_id": collection}
    answer = trial.calls(PUT_PHOTO, photo_id=_NAME, fields=fields, image=image)
    if not trial.expect(PUT_PHOTO, "a photo of one person", answer, "200"):
        return
    photo = answer.read(Photo)
    trial.same(PUT_PHOTO, "status, created", ("indexed", True), (photo.status, photo.created))
    again = trial.calls(PUT_PHOTO, photo_id=_NAME, fields=fields, image=image).read(Photo)
    trial.same(PUT_PHOTO, "the same again: created", expected=False, found=again.created)
    trial.same(PUT_PHOTO, "the same again: face ids", photo.face_ids, again.face_ids)
    _refusals(trial, collection)
    _by_query(trial, collection)
    _reading(trial, collection, photo, image)
    _ambiguous(trial, collection)
    _in_no_collection(trial, name=f"{collection} in none")


def _refusals(trial: Trial, collection: str) -> None:
    fields = {"collection_id": collection}
    image = trial.samples.portraits[2]
    careful = trial.calls.key_header | {"If-None-Match": "*"}
    kept = trial.calls(PUT_PHOTO, photo_id=_NAME, fields=fields, image=image, headers=careful)
    trial.expect(PUT_PHOTO, "another photo, If-None-Match: *", kept, "412 already_exists")
    for what, unreadable in trial.samples.unreadable.items():
        answer = trial.calls(PUT_PHOTO, photo_id="bad", fields=fields, image=unreadable)
        trial.expect(PUT_PHOTO, what, answer, "415 invalid_image_format")
    empty = trial.calls(PUT_PHOTO, photo_id="nobody", fields=fields, image=trial.samples.nobody)
    if trial.expect(PUT_PHOTO, "nobody", empty, "200"):
        trial.same(PUT_PHOTO, "nobody: status", "no_faces", empty.read(Photo).status)


def _by_query(trial: Trial, collection: str) -> None:
    image, query = trial.samples.portraits[2], {"photo_id": "by query"}
    fields = {"collection_id": collection}
    answer = trial.calls(PUT_PHOTO_BY_QUERY, query=query, fields=fields, image=image)
    trial.expect(PUT_PHOTO_BY_QUERY, "a photo", answer, "200")
    unreadable = trial.calls(PUT_PHOTO_BY_QUERY, query=query, image=trial.samples.text)
    trial.expect(PUT_PHOTO_BY_QUERY, "a text", unreadable, "415 invalid_image_format")
    found = trial.calls(GET_PHOTO_BY_QUERY, query=query | fields)
    trial.expect(GET_PHOTO_BY_QUERY, "its record", found, "200")
    found = trial.calls(GET_IMAGE_BY_QUERY, query=query | fields)
    trial.same(GET_IMAGE_BY_QUERY, "its bytes", expected=True, found=found.body == image)
    unknown = trial.calls(GET_PHOTO_BY_QUERY, query={"photo_id": f"{collection}/unknown"})
    trial.expect(GET_PHOTO_BY_QUERY, "an unknown photo", unknown, "404 photo_not_found")


def _reading(trial: Trial, collection: str, photo: Photo, image: bytes) -> None:
    query = {"collection_id": collection}
    answer = trial.calls(GET_PHOTO, photo_id=_NAME, query=query)
    if trial.expect(GET_PHOTO, "a record", answer, "200"):
        trial.same(GET_PHOTO, "its face ids", photo.face_ids, answer.read(Photo).face_ids)
    answer = trial.calls(GET_IMAGE, photo_id=_NAME, query=query)
    trial.expect(GET_IMAGE, "the bytes", answer, "200")
    trial.same(
        GET_IMAGE, "as they came", (True, "image/jpeg"), (answer.body == image, answer.media_type)
    )
    for operation in (GET_PHOTO, GET_IMAGE):
        answer = trial.calls(operation, photo_id="unknown", query=query)
        trial.expect(operation, "an unknown photo", answer, "404 photo_not_found")


def _ambiguous(trial: Trial, collection: str) -> None:
    other = trial.names.collection("photos-too")
    name = f"{collection} in two"
    for one in (collection, other):
        trial.put(name, one, trial.samples.portraits[3])
    answer = trial.calls(GET_PHOTO, photo_id=name)
    trial.expect(GET_PHOTO, "in two collections, none named", answer, "409 ambiguous_photo")


def _in_no_collection(trial: Trial, name: str) -> None:
    image = trial.samples.portraits[3]
    answer = trial.calls(PUT_PHOTO, photo_id=name, image=image)
    try:
        if trial.expect(PUT_PHOTO, "no collection named", answer, "200"):
            trial.same(PUT_PHOTO, "which it is in then", "", answer.read(Photo).collection_id)
        found = trial.search_until(lambda page: ("", name) in page.photos, image, "", top_k="50")
        is_there = ("", name) in found.photos
        trial.same(SEARCH, "in no collection: it is found", expected=True, found=is_there)
    finally:
        # The only photo of a run that no collection holds, and so nothing else removes.
        trial.calls(REMOVE, photo_id=name, query={"collection_id": ""})
