"""Pictures: real files of every kind, files that only claim to be, and hostile ones."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from typing import Any

from PIL import Image, ImageCms, ImageDraw

__all__ = [
    "LADDER",
    "animation",
    "chunk",
    "decode",
    "encode",
    "exif_bomb",
    "gif",
    "gif_bomb",
    "jpeg",
    "orientation",
    "photo",
    "photograph",
    "png",
    "png_claiming",
    "progressive_scans",
    "scan_bomb",
    "srgb_profile",
    "swapped_profile",
    "with_segment",
]

LADDER = (25, 50, 100, 200, 300, 500, 800, 1200, 1600, 2400)


def encode(image: Image.Image, form: str, **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    output = io.BytesIO()
    image.save(output, form, **options)
    return output.getvalue()


def decode(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def photo(width: int = 320, height: int = 240, mode: str = "RGB") -> Image.Image:
    """A colourful picture whose top left quarter is red, so that its position can be told."""
    grey = Image.linear_gradient("L").resize((width, height))
    image = Image.merge("RGB", (grey.rotate(180), grey, Image.radial_gradient("L").resize((width, height))))
    ImageDraw.Draw(image).rectangle((0, 0, width // 2, height // 2), fill=(255, 0, 0))
    if mode == "I;16":
        return image.convert("L").convert("I;16").point(lambda value: value * 257)
    if mode in ("LA", "RGBA"):
        image.putalpha(grey)
    return image.quantize(64) if mode == "P" else image.convert(mode)


def jpeg(width: int = 320, height: int = 240, mode: str = "RGB", **options: Any) -> bytes:
    return encode(photo(width, height, mode), "JPEG", **options)


def orientation(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes()


def animation(form: str, frames: int = 4, width: int = 64, height: int = 48, **options: Any) -> bytes:
    colours = [(60 * number % 256, 255 - 50 * number % 256, 128) for number in range(frames)]
    first, *rest = [Image.new("RGB", (width, height), colour) for colour in colours]
    return encode(first, form, save_all=True, append_images=rest, duration=80, **options)


def srgb_profile() -> bytes:
    """A profile of sRGB, the same whenever it is made: its date of creation is a fixed one."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    struct.pack_into(">6H", data, 24, 2026, 1, 1, 0, 0, 0)
    return bytes(data)


def swapped_profile() -> bytes:
    """A profile whose first primary is green and whose second is red, so that its use shows."""
    data = bytearray(srgb_profile())
    (count,) = struct.unpack_from(">I", data, 128)
    tags = {bytes(data[at : at + 4]): at + 4 for at in range(132, 132 + 12 * count, 12)}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    data[red : red + 8], data[green : green + 8] = data[green : green + 8], data[red : red + 8]
    return bytes(data)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, extra: Iterable[bytes] = (), data: bytes | None = None) -> bytes:
    """An 8-bit grey PNG with additional chunks; `data` replaces the scan lines."""
    lines = bytes((1 + width) * height) if data is None else data
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
            *extra,
            chunk(b"IDAT", zlib.compress(lines)),
            chunk(b"IEND", b""),
        )
    )


def scan_bomb(scans: int) -> bytes:
    """A progressive JPEG that repeats one of its scans."""
    data = jpeg(progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def gif_bomb(frames: int, width: int = 2000, height: int = 2000) -> bytes:
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return head + frame * frames + b"\x3b"


def exif_bomb() -> bytes:
    """EXIF of 64 kB whose entries claim 340 MB, each the same bytes."""
    entries = 5400
    ifd = struct.pack("<H", entries)
    ifd += b"".join(struct.pack("<HHII", 0xC000 + number, 7, 63_000, 8) for number in range(entries))
    return b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8) + ifd


def with_segment(data: bytes, marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment behind its SOI."""
    return data[:2] + struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body + data[2:]


def photograph(width: int = 900, height: int = 600, mode: str = "RGB") -> Image.Image:
    """Return a picture whose corners are red, green, blue and grey, with gradients between them."""
    corners = Image.new("RGB", (2, 2))
    corners.putdata([(230, 20, 20), (20, 200, 20), (20, 20, 230), (128, 128, 128)])
    return corners.resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def gif(frames: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """Return an animated GIF whose frames differ."""
    pictures = [
        Image.new("RGB", size, (number * 40 % 256, 90, 255 - number * 40 % 256)) for number in range(frames)
    ]
    file = io.BytesIO()
    pictures[0].save(file, "GIF", save_all=True, append_images=pictures[1:], duration=80, loop=0)
    return file.getvalue()


def png_claiming(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a small PNG file whose header claims a size, with further chunks."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = b"".join(chunk(kind, content) for kind, content in chunks)
    pixels = zlib.compress(b"\0" * 1024)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def progressive_scans(scans: int) -> bytes:
    """Return a progressive JPEG whose last scan is repeated until it has that many."""
    data = encode(photograph(256, 256), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    return data[:last] + scan * (scans - data.count(b"\xff\xda") + 1) + b"\xff\xd9"
