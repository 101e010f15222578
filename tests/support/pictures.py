"""Pictures that tests make: real files of every kind, and files that only claim to be."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image

__all__ = ["encode", "gif", "photograph", "png_claiming", "progressive_scans"]


def photograph(width: int = 900, height: int = 600, mode: str = "RGB") -> Image.Image:
    """Return a picture whose corners are red, green, blue and grey, with gradients between them."""
    corners = Image.new("RGB", (2, 2))
    corners.putdata([(230, 20, 20), (20, 200, 20), (20, 20, 230), (128, 128, 128)])
    return corners.resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encode(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Return a picture as the bytes of a file."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def gif(frames: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """Return an animated GIF whose frames differ."""
    pictures = [
        Image.new("RGB", size, (number * 40 % 256, 90, 255 - number * 40 % 256)) for number in range(frames)
    ]
    file = io.BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=80, loop=0)
    return file.getvalue()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_claiming(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a small PNG file whose header claims a size, with further chunks."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"".join(_chunk(kind, content) for kind, content in chunks)
    pixels = zlib.compress(b"\0" * 1024)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + body + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")
    )


def progressive_scans(scans: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated until it has that many."""
    data = encode(photograph(256, 256), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    return data[:last] + scan * (scans - data.count(b"\xff\xda") + 1) + b"\xff\xd9"
