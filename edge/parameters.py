"""The parameters of an operation: read from form and query, checked once, documented from here."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast
from urllib.parse import parse_qsl, unquote_to_bytes

from edge.errors import InvalidParameter
from storage.records.model import Box

T = TypeVar("T")
MAX_IDENTIFIER_LENGTH = 128  # code points
JsonSchema = dict[str, object]
Values = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Described:
    """What a parameter means and what it may be."""

    name: str
    description: str
    schema: JsonSchema
    is_repeatable: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Parameter(Described, Generic[T]):
    """One parameter, and how its text is read.

    `parse` raises ValueError with a message that completes "<name>: ...".
    """

    parse: Callable[[str], T]

    def many(self, values: Values) -> tuple[T, ...]:
        """Every value that came. Raises InvalidParameter."""
        return tuple(self._read(text) for text in values.get(self.name, ()))

    def one(self, values: Values, default: T) -> T:
        """The value, or the default if none came. Raises InvalidParameter."""
        return self._read(values[self.name][0]) if values.get(self.name) else default

    def optional(self, values: Values) -> T | None:
        """The value, or None if none came. Raises InvalidParameter."""
        return self._read(values[self.name][0]) if values.get(self.name) else None

    def _read(self, text: str) -> T:
        try:
            return self.parse(text)
        except ValueError as error:
            raise InvalidParameter(self.name, str(error)) from None


def query_values(query_string: bytes) -> dict[str, list[str]]:
    """What a query says, by name. Raises InvalidParameter for what is not UTF-8."""
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", separator="&"
        )
    except ValueError:
        raise InvalidParameter("query", "is not percent-encoded UTF-8") from None
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def merge(form: Values, query: Values, known: Sequence[Described]) -> dict[str, list[str]]:
    """Form and query together, the form winning by name.

    Raises InvalidParameter for a name that is not known (a misspelt `collection_id` must not
    search, or remove, everything) and for a repeated one that may come once only.
    """
    names = {parameter.name: parameter for parameter in known}
    merged: dict[str, list[str]] = {}
    for source in (query, form):
        for name, values in source.items():
            if name not in names:
                listed = ", ".join(sorted(names)) or "none"
                raise InvalidParameter(
                    name[:MAX_IDENTIFIER_LENGTH], f"is not known here; known are: {listed}"
                )
            if len(values) > 1 and not names[name].is_repeatable:
                raise InvalidParameter(name, "came more than once; send it once")
            merged[name] = list(values)
    return merged


def identifier(text: str) -> str:
    """A photo_id or collection_id: NFC, 1 to 128 code points, nothing invisible at its ends.

    Raises ValueError.
    """
    name = unicodedata.normalize("NFC", text)
    if not 1 <= len(name) <= MAX_IDENTIFIER_LENGTH:
        raise ValueError(f"must have 1 to {MAX_IDENTIFIER_LENGTH} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        raise ValueError("must not have control characters or surrogates")
    if name != name.strip():
        raise ValueError("must not begin or end with white space")
    return name


def collection(text: str) -> str:
    """A collection_id, or "" for no collection. Raises ValueError."""
    return identifier(text) if text else ""


def path_identifier(name: str, segment: str) -> str:
    """An identifier from a percent-encoded path segment. Raises InvalidParameter."""
    try:
        return identifier(unquote_to_bytes(segment).decode("utf-8"))
    except UnicodeDecodeError:
        raise InvalidParameter(name, "is not percent-encoded UTF-8") from None
    except ValueError as error:
        raise InvalidParameter(name, str(error)) from None


def whole_number(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """A reader of whole numbers in a range."""
    span = f"of {minimum} or more" if maximum is None else f"from {minimum} to {maximum}"

    def read(text: str) -> int:
        digits = text.removeprefix("-")
        # int() alone would take "1_0", " 1" and digits of other scripts.
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 18):
            raise ValueError(f"must be a whole number {span}")
        value = int(text)
        if value < minimum or (maximum is not None and value > maximum):
            raise ValueError(f"must be a whole number {span}")
        return value

    return read


def threshold(text: str) -> float | None:
    """A cosine similarity from −1 to 1; None for the word "recommended". Raises ValueError."""
    if text == "recommended":
        return None
    value = _number(text)
    if value is None or not -1 <= value <= 1:
        raise ValueError('must be a number from -1 to 1, or "recommended"')
    return value


def flag(text: str) -> bool:
    """True or false, in one of the usual words. Raises ValueError."""
    match text.lower():
        case "true" | "1":
            return True
        case "false" | "0":
            return False
        case _:
            raise ValueError('must be "true" or "false"')


def box(text: str) -> Box:
    """A rectangle: `x,y,width,height`, or the JSON object with these names. Raises ValueError."""
    numbers: Sequence[float | None]
    if text.lstrip().startswith("{"):
        numbers = _numbers_of_object(text)
    else:
        numbers = [_number(part.strip()) for part in text.split(",")]
    if len(numbers) != 4 or any(number is None for number in numbers):
        raise ValueError(
            'must be four numbers "x,y,width,height", or a JSON object with these names'
        )
    x, y, width, height = (cast("float", number) for number in numbers)
    if width <= 0 or height <= 0:
        raise ValueError("must have a width and a height above 0")
    return Box(x, y, width, height)


def _numbers_of_object(text: str) -> Sequence[float | None]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(value, dict) or set(value) != {"x", "y", "width", "height"}:
        return ()
    sides = [value[name] for name in ("x", "y", "width", "height")]
    return [_number(str(side)) if type(side) in {int, float} else None for side in sides]


def _number(text: str) -> float | None:
    if len(text) > 40 or "_" in text or text != text.strip():  # float() takes "1_0" and " 1"
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
