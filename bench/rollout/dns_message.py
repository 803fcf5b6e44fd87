"""As much of DNS (RFC 1035) as one name with a few addresses needs. Pure."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

A, AAAA, IN = 1, 28, 1
_HEADER = struct.Struct("!6H")
_QUESTION = struct.Struct("!2H")
_ANSWER = struct.Struct("!3HIH")
_IS_RESPONSE, _IS_AUTHORITATIVE, _WANTS_RECURSION, _CAN_RECURSE = 0x8000, 0x0400, 0x0100, 0x0080
_NO_SUCH_NAME = 3
_NAME_OF_QUESTION = 0xC00C
"""A pointer to the first byte after the header."""


class NotAQuestion(ValueError):
    """The bytes are no DNS query of one question."""


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know."""

    number: int
    """Of the query; the answer carries the same."""
    wants_recursion: bool
    name: str
    """In lower case, without the last dot."""
    kind: int
    """A, AAAA, or what else there is."""
    raw: bytes
    """The question as it was sent; the answer repeats it."""


def read_question(message: bytes) -> Question:
    """The question of a query. Raises NotAQuestion."""
    try:
        number, flags, questions, *_ = _HEADER.unpack_from(message)
        labels, at = [], _HEADER.size
        while length := message[at]:
            labels.append(message[at + 1 : at + 1 + length].decode("ascii"))
            at += 1 + length
        end = at + 1 + _QUESTION.size
        kind, _ = _QUESTION.unpack_from(message, at + 1)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise NotAQuestion(str(error)) from error
    if questions != 1 or flags & _IS_RESPONSE:
        raise NotAQuestion(f"{questions} questions, flags {flags:#06x}")
    return Question(
        number,
        bool(flags & _WANTS_RECURSION),
        ".".join(labels).lower(),
        kind,
        message[_HEADER.size : end],
    )


def answer(question: Question, name: str, addresses: Sequence[str], ttl_seconds: int) -> bytes:
    """What is told: the addresses (IPv4) of `name`, or that there is no other name."""
    flags = _IS_RESPONSE | _IS_AUTHORITATIVE | _CAN_RECURSE
    flags |= _WANTS_RECURSION if question.wants_recursion else 0
    known = addresses if question.name == name and question.kind == A else ()
    if question.name != name:
        flags |= _NO_SUCH_NAME
    rows = [
        _ANSWER.pack(_NAME_OF_QUESTION, A, IN, ttl_seconds, 4) + socket.inet_aton(address)
        for address in known
    ]
    header = _HEADER.pack(question.number, flags, 1, len(rows), 0, 0)
    return header + question.raw + b"".join(rows)
