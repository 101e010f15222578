"""PNG, third edition. What is decoded has the critical chunks and the transparency alone.

Ancillary chunks that are broken or out of place are left out, as libpng does: a decoder that is given them
may refuse the picture, or inflate the same bomb ten thousand times.
"""

import struct
import zlib
from contextlib import suppress
from typing import BinaryIO

from shared.http import UnprocessableError

from .common import (
    BLOCK,
    MAX_METADATA,
    MAX_PIXELS,
    Header,
    Part,
    check_parts,
    check_pixels,
    corrupt,
    metadata_bomb,
    open_parts,
    orientation_of,
    read,
)

__all__ = ["MAX_CHUNKS", "header"]

MAX_CHUNKS = 100_000  # encoders write 8 kB and more into each
_HEADER_BYTES = 33  # signature and IHDR
_END = b"\0\0\0\0IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_TRANSPARENCY_BYTES = {0: 2, 2: 6}  # of grey and of colour; of a palette a byte for each entry at most
_PALETTE = 3  # the type of colour


class _Chunks:
    """What the chunks say.

    Attributes:
        kept: What is decoded.
        orientation: EXIF orientation.
        icc: Colour profile.
        data: Whether there is image data.
        transparency: Whether there is a chunk of transparency.
    """

    def __init__(self, colour: int) -> None:
        self.kept: list[Part] = []
        self.orientation = 1
        self.icc: bytes | None = None
        self.data = False
        self._colour = colour
        self.transparency = self._profile = False
        self._palette = -1  # bytes of PLTE; -1 before there is one
        self._metadata = 0

    def add(self, kind: bytes, body: bytes, span: tuple[int, int]) -> None:
        """Add a chunk that is whole; of image data the body is empty."""
        match kind:
            case b"IDAT":
                self.data = True
                self.kept.append(span)
            case b"PLTE" if not self.data:
                self._palette = len(body)
                self.kept.append(span)
            case b"tRNS" if self._takes_transparency(len(body)):
                self.transparency = True
                self.kept.append(span)
            case b"eXIf":
                self.orientation = orientation_of(body)
            case b"iCCP":
                self._add_profile(body)
            case b"zTXt":
                self._inflate(body, _behind_text(body, 0) + 1)
            case b"iTXt":
                flag = _behind_text(body, 0)  # behind the keyword
                if body[flag : flag + 1] == b"\1":
                    language_and_keyword = _behind_text(body, flag + 2)
                    self._inflate(body, _behind_text(body, language_and_keyword))

    def _takes_transparency(self, length: int) -> bool:
        if self.data or self.transparency:
            return False
        if self._colour == _PALETTE:
            return 0 < 3 * length <= self._palette
        return length == _TRANSPARENCY_BYTES.get(self._colour)

    def _add_profile(self, body: bytes) -> None:
        profile = self._inflate(body, _behind_text(body, 0) + 1)
        # Both PLTE and IDAT come behind it: section 5.6, table 7.
        if not (self._profile or self.data or self._palette >= 0):
            self._profile, self.icc = True, profile

    def _inflate(self, body: bytes, start: int) -> bytes | None:
        """Inflate metadata that begins somewhere in a chunk; None where it is broken.

        All of a file's together have one limit. What was inflated counts even if the end is missing, and so
        does what was to be inflated: blocks without content cost as much.
        """
        left = MAX_METADATA - self._metadata
        decoder = zlib.decompressobj()
        inflated = b""
        with suppress(zlib.error):
            inflated = decoder.decompress(memoryview(body)[start : start + left + 1], left + 1)
        self._metadata += max(len(inflated), len(body) - start, 0)
        if self._metadata > MAX_METADATA:
            raise metadata_bomb()
        return inflated if decoder.eof else None


def header(file: BinaryIO) -> Header:
    """Walk over a PNG."""
    file.seek(8)
    length, kind = struct.unpack(">I4s", read(file, 8))
    if kind != b"IHDR" or length != 13:
        raise corrupt()
    width, height, bits, colour = struct.unpack(">IIBB3x", _body(file, kind, length) or b"")
    check_pixels(width, height, MAX_PIXELS["png"])
    chunks = _Chunks(colour)
    for _ in range(MAX_CHUNKS):
        start = file.tell()
        head = file.read(8)
        if (len(head) < 8 and chunks.data) or head[4:] == b"IEND":
            break  # some encoders leave the end out
        length, kind = struct.unpack(">I4s", head)
        try:
            body = _body(file, kind, length)
        except UnprocessableError:
            if chunks.data and kind not in _CRITICAL:
                break  # the picture is whole
            raise
        if body is not None:
            chunks.add(kind, body, (start, file.tell() - start))
    else:
        check_parts(MAX_CHUNKS + 1, MAX_CHUNKS)
    if not chunks.data:
        raise corrupt()
    parts: list[Part] = [(0, _HEADER_BYTES), *chunks.kept, _END]
    return Header(
        "png",
        width,
        height,
        open_parts(file, parts),
        orientation=chunks.orientation,
        icc=chunks.icc,
        palette=colour == _PALETTE or bits < 8,
        # Not every decoder compares a transparent colour with samples as they are stored; Pillow does not.
        is_clean=colour == _PALETTE or bits == 8 or not chunks.transparency,
    )


def _behind_text(body: bytes, start: int) -> int:
    """Where what follows a text and its NUL begins; the end where there is no NUL."""
    end = body.find(b"\0", start)
    return end + 1 if end >= 0 else len(body)


def _body(file: BinaryIO, kind: bytes, length: int) -> bytes | None:
    """A chunk's body, that of image data left out; None of a broken one that a picture can do without."""
    checksum = zlib.crc32(kind)
    body = b""
    if kind == b"IDAT":
        while length:
            block = read(file, min(length, BLOCK))
            checksum = zlib.crc32(block, checksum)
            length -= len(block)
    else:
        body = read(file, length)
        checksum = zlib.crc32(body, checksum)
    if struct.unpack(">I", read(file, 4))[0] == checksum:
        return body
    if kind in _CRITICAL:
        raise corrupt()
    return None
