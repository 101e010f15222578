"""Aggregated records of the Kinesis Producer Library, taken apart.

The format is that of `aggregation-format.md` in awslabs/amazon-kinesis-producer: four magic bytes, a Protocol
Buffers message, and the MD5 of that message. The message's field 3 is repeated: each is a user record, whose
field 3 is its data. A blob that fails any check is a plain record that happens to begin like an aggregate.
"""

import hashlib
from collections.abc import Iterator

__all__ = ["MAGIC", "split"]

MAGIC = b"\xf3\x89\x9a\xc2"
_DIGEST = 16
_RECORDS = _DATA = 3
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def split(blob: bytes) -> list[bytes]:
    """The data of every user record in a Kinesis record: of one alone, if it is not aggregated."""
    if not blob.startswith(MAGIC) or len(blob) < len(MAGIC) + _DIGEST:
        return [blob]
    message, digest = blob[len(MAGIC) : -_DIGEST], blob[-_DIGEST:]
    if hashlib.md5(message, usedforsecurity=False).digest() != digest:
        return [blob]
    try:
        return [
            data
            for number, record in _fields(message)
            if number == _RECORDS
            for inner, data in _fields(record)
            if inner == _DATA
        ]
    except (IndexError, ValueError):
        return [blob]


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and content of each length-delimited field; others are skipped.

    Raises:
        IndexError: The message ends too early.
        ValueError: It has a field of a kind that is not in use.
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, place = _varint(message, place)
        elif kind == _LENGTH:
            length, place = _varint(message, place)
            if place + length > len(message):
                raise IndexError("a field ends too early")
            yield number, message[place : place + length]
            place += length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            place += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"a field of kind {kind}")


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
