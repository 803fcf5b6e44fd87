"""Milvus filter expressions, with every value as an escaped literal.

Milvus Lite knows no template parameters, so values must stand in the text of the filter. `literal`
is the only way in; nothing else in this package writes a quote.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from storage.identity import FaceId, PhotoKey, RevisionId
from storage.vectors.port import Collections
from storage.vectors.validation import is_storable_name

# What ends or breaks a string in Milvus' grammar. Everything else, control characters and U+2028
# included, stands for itself: the grammar has no escape such as \u0001.
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def literal(value: str) -> str:
    """The value as a string literal that means exactly this value."""
    return f'"{value.translate(_ESCAPES)}"'


def is_any_of(field: str, values: Iterable[str]) -> str:
    """Rows whose `field` is one of the values."""
    return f"{field} in [{', '.join(literal(value) for value in values)}]"


def of_revisions(revisions: Sequence[RevisionId]) -> str:
    """Faces of these revisions."""
    return is_any_of("revision", revisions)


def of_faces(faces: Sequence[FaceId]) -> str:
    """These faces."""
    return is_any_of("face_id", faces)


def after_face(face_id: str) -> str:
    """Faces whose id sorts after this one ("": all)."""
    return f"face_id > {literal(face_id)}"


def eligible(within: Collections, excluding: Sequence[PhotoKey]) -> str:
    """Faces of these collections (None: of all) but of none of these photos; "" for every face.

    Names that cannot be stored are left out. `within` must not be empty then: see `is_nowhere`.
    """
    conditions = []
    if within is not None:
        conditions.append(is_any_of("collection_id", sorted(filter(is_storable_name, within))))
    photos: dict[str, list[str]] = defaultdict(list)
    for photo in sorted(set(excluding)):
        if is_storable_name(photo.collection_id) and is_storable_name(photo.photo_id):
            photos[photo.collection_id].append(photo.photo_id)
    conditions.extend(
        f"not (collection_id == {literal(collection)} and {is_any_of('photo_id', names)})"
        for collection, names in photos.items()
    )
    return _all_of(conditions)


def of_collection(collection: str, excluding: Sequence[PhotoKey]) -> str:
    """Faces of this one collection, which can be stored, but of none of these photos.

    The form that Milvus takes where each collection has an index of its own: an equality, and the
    collection in no `not` and no `in`.
    """
    here = f"collection_id == {literal(collection)}"
    photos = {photo.photo_id for photo in excluding if photo.collection_id == collection}
    names = sorted(filter(is_storable_name, photos))
    return _all_of([here, f"not ({is_any_of('photo_id', names)})"] if names else [here])


def is_nowhere(within: Collections) -> bool:
    """Whether no stored face can be in these collections."""
    return within is not None and not any(map(is_storable_name, within))


def _all_of(conditions: Sequence[str]) -> str:
    """The conjunction, as a balanced tree: parsers recurse, and a thousand deep is too deep."""
    match len(conditions):
        case 0:
            return ""
        case 1:
            return conditions[0]
        case count:
            middle = count // 2
            return f"({_all_of(conditions[:middle])}) and ({_all_of(conditions[middle:])})"
