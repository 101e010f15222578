"""Looks at an image's structure before it is decoded, and refuses what would hurt.

Content alone decides the format, never a name. The walk over markers, chunks and blocks finds truncation
and bombs (pixels, scans, frames, compressed metadata, padding) in little memory and a time bounded by limits
of its own, and collects what the recipe needs: size, orientation, colour profile. What Chromium, libvips and
Pillow all show is not refused.
"""

import io
import re
import struct
from typing import BinaryIO, cast

from shared.http import UnprocessableError, UnsupportedTypeError

from .containers import avif, gif, jpeg, png, webp
from .containers.common import Header, Source, truncated
from .decoding import check_end

__all__ = ["Header", "Source", "inspect", "size_of", "sniff"]

_HEADERS = {
    "jpeg": jpeg.header,
    "png": png.header,
    "gif": gif.header,
    "webp": webp.header,
    "avif": avif.header,
}


def sniff(head: bytes) -> Source:
    """The format that a file's first bytes (32 suffice) tell.

    Raises:
        UnprocessableError: There are no bytes.
        UnsupportedTypeError: It is none of the formats read here.
    """
    if not head:
        raise UnprocessableError("empty", "The original is empty.")
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return "avif"
    raise UnsupportedTypeError(
        "unsupported_format", "The original is not a JPEG, PNG, GIF, WebP or AVIF image."
    )


def inspect(file: BinaryIO) -> Header:
    """Walk over an image's structure.

    Args:
        file: The image, seekable; its position afterwards is undefined.

    Raises:
        UnprocessableError: It is truncated, corrupt, or too much to decode.
        UnsupportedTypeError: It is none of the formats read here.
    """
    length = file.seek(0, 2)
    file.seek(0)
    form = sniff(file.read(32))
    try:
        header = _HEADERS[form](file)._replace(length=length)
    except (struct.error, IndexError):
        raise truncated() from None
    check_end(header)
    return header


def size_of(head: bytes) -> tuple[int, int] | None:
    """Width and height as stored, as far as a file's first bytes tell; a WebP's are not looked for.

    Raises:
        UnprocessableError: There are no bytes.
        UnsupportedTypeError: It is none of the formats read here.
    """
    form = sniff(head)
    try:
        if form == "png":
            return cast("tuple[int, int]", struct.unpack_from(">II", head, 16))
        if form == "gif":
            return cast("tuple[int, int]", struct.unpack_from("<HH", head, 6))
        if form == "jpeg":
            return jpeg.size(io.BytesIO(head))
    except (struct.error, UnprocessableError):
        return None
    # Each item of an AVIF says its own; that of tiles is less than the whole picture's.
    sizes = [struct.unpack(">II", said) for said in re.findall(rb"ispe\0{4}(.{8})", head, re.DOTALL)]
    return max(sizes) if form == "avif" and sizes else None
