"""WebP: RFC 9649. What is decoded has the picture's chunks alone."""

import struct
from typing import BinaryIO

from .common import (
    MAX_METADATA,
    MAX_PIXELS,
    Header,
    Part,
    check_frames,
    check_parts,
    check_pixels,
    corrupt,
    open_parts,
    orientation_of,
    read,
    truncated,
)

__all__ = ["MAX_CHUNKS", "header"]

MAX_CHUNKS = 100_000
_PICTURE = frozenset({b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF"})
_METADATA_FLAGS = 0x20 | 0x08 | 0x04  # in VP8X: ICC profile, EXIF, XMP


class _Chunks:
    """What the chunks say.

    Attributes:
        kept: What is decoded.
        size: Width and height; 0 before they are known.
        orientation: EXIF orientation.
        icc: Colour profile.
        plays: How often an animation is shown; 0 is for ever.
    """

    def __init__(self) -> None:
        self.kept: list[Part] = []
        self.size = 0, 0
        self.orientation, self.plays = 1, 0
        self.icc: bytes | None = None
        self._frames = 0

    def add(self, kind: bytes, file: BinaryIO, length: int) -> None:
        """Add the chunk whose content is next in the file, and has so many bytes."""
        start, padded = file.tell(), length + (length & 1)
        if kind in (b"VP8X", b"VP8 ", b"VP8L"):
            size = _size(kind, read(file, min(length, 10)))
            if self.size not in ((0, 0), size):  # what is claimed is not what there is
                raise corrupt()
            self.size = size
            check_pixels(*self.size, MAX_PIXELS["webp"])
        elif kind == b"ANMF":
            self._frames += 1
            check_frames(self._frames, *self.size)
        elif kind == b"ANIM":
            (self.plays,) = struct.unpack("<4xH", read(file, 6))
        elif kind == b"ICCP" and length <= MAX_METADATA:
            self.icc = read(file, length)
        elif kind == b"EXIF" and length <= MAX_METADATA:
            self.orientation = orientation_of(read(file, length))
        if kind == b"VP8X":
            file.seek(start)
            flags, rest = struct.unpack("<B9s", read(file, 10))
            if flags & ~_METADATA_FLAGS:  # else a picture does without
                self.kept += [b"VP8X" + struct.pack("<IB", 10, flags & ~_METADATA_FLAGS) + rest]
        elif kind in _PICTURE:
            self.kept.append((start - 8, 8 + padded))


def header(file: BinaryIO) -> Header:
    """Walk over a WebP."""
    file.seek(0)
    (riff,) = struct.unpack("<4xI", read(file, 8))
    end = file.seek(0, 2)
    if end < riff + 8:
        raise truncated()
    position, end = 12, riff + 8
    chunks = _Chunks()
    for _ in range(MAX_CHUNKS):
        if position + 8 > end:
            break
        file.seek(position)
        kind, length = struct.unpack("<4sI", read(file, 8))
        if position + 8 + length > end:
            raise truncated()
        chunks.add(kind, file, length)
        position += 8 + length + (length & 1)
    else:
        check_parts(MAX_CHUNKS + 1, MAX_CHUNKS)
    if not chunks.size[0]:
        raise corrupt()
    size = sum(len(part) if isinstance(part, bytes) else part[1] for part in chunks.kept)
    parts: list[Part] = [struct.pack("<4sI4s", b"RIFF", 4 + size, b"WEBP"), *chunks.kept]
    return Header(
        "webp",
        *chunks.size,
        open_parts(file, parts),
        orientation=chunks.orientation,
        icc=chunks.icc,
        plays=chunks.plays,
    )


def _size(kind: bytes, body: bytes) -> tuple[int, int]:
    if kind == b"VP8X":
        low, high = struct.unpack("<4x3s3s", body)
        return 1 + int.from_bytes(low, "little"), 1 + int.from_bytes(high, "little")
    if kind == b"VP8 ":
        width, height = struct.unpack("<6xHH", body)
        return width & 0x3FFF, height & 0x3FFF
    bits = int.from_bytes(body[1:5], "little")
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
