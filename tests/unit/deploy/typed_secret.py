"""A Secret as `kubectl create secret` sends it: in Kubernetes' form of protobuf."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

MAGIC = b"k8s\x00"


def read_secret(sent: bytes) -> dict[str, Any]:
    """The object, as JSON has it (k8s.io/api/core/v1/generated.proto)."""
    assert sent.startswith(MAGIC)
    unknown = dict(_fields(sent.removeprefix(MAGIC)))
    secret = list(_fields(_bytes(unknown[2])))
    metadata = dict(_fields(_bytes(dict(secret)[1])))
    entries = [dict(_fields(_bytes(value))) for number, value in secret if number == 2]
    return {
        "metadata": {"name": _text(metadata[1])},
        "type": _text(dict(secret).get(3, b"Opaque")),
        "data": {
            _text(entry[1]): b64encode(_bytes(entry.get(2, b""))).decode() for entry in entries
        },
    }


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Number and value of each field."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        value, at = _varint(message, at)
        match key & 7:
            case 0:
                yield key >> 3, value
            case 2:
                yield key >> 3, message[at : at + value]
                at += value
            case other:
                raise AssertionError(f"wire type {other}")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value, at


def _bytes(value: bytes | int) -> bytes:
    assert isinstance(value, bytes)
    return value


def _text(value: bytes | int) -> str:
    return _bytes(value).decode()
