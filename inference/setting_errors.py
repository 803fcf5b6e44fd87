"""What pydantic has against a setting, in the words of whoever sets it.

The same as in `storage.setting_errors`: the two packages share nothing, so that either runs alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

_OUT_OF_RANGE = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})
_NO_NUMBER = frozenset({"int_parsing", "int_from_float", "float_parsing", "finite_number"})
_NO_CHOICE = frozenset({"literal_error", "enum"})


def words(error: ErrorDetails, fields: Mapping[str, FieldInfo]) -> str:
    """What the setting may be; where that is not known, what pydantic or our validator said."""
    place = error["loc"]
    field = fields.get(str(place[0])) if len(place) == 1 else None
    kind = error["type"]
    if field is not None and kind in _OUT_OF_RANGE | _NO_NUMBER:
        return f"must be {_number_of(field)}"
    if kind in _NO_NUMBER:
        return "must be numbers"
    if kind in _NO_CHOICE:
        return f"must be {error['ctx']['expected']}"
    if kind == "string_pattern_mismatch":
        return f"must match {error['ctx']['pattern']}"
    if kind == "bool_parsing":
        return "must be true or false"
    return error["msg"].removeprefix("Value error, ")


def _number_of(field: FieldInfo) -> str:
    """Such as "a whole number from 0 to 65535"."""
    is_whole = int in (field.annotation, *get_args(field.annotation))
    least = most = ""
    for limit in field.metadata:
        match limit:
            case Ge(ge):
                least = f"from {ge}"
            case Gt(gt):
                least = f"above {gt}"
            case Le(le):
                most = f"to {le}" if least.startswith("from") else f"at most {le}"
            case Lt(lt):
                most = f"below {lt}"
            case _:
                pass
    if least.startswith("from") and not most:
        least = least.replace("from", "of at least")
    kind = "a whole number" if is_whole else "a number"
    between = " and " if least and most and not most.startswith("to") else " "
    return f"{kind} {between.join(part for part in (least, most) if part)}".rstrip()
