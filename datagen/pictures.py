"""Pictures: real files of every kind, files that only claim to be, and hostile ones."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterable
from typing import Any, NamedTuple

from PIL import Image, ImageCms, ImageDraw

__all__ = [
    "GIF_COLOURS",
    "LADDER",
    "GifFrame",
    "animation",
    "avif_in_metadata",
    "avif_without_size_of_alpha",
    "chunk",
    "decode",
    "empty_blocks",
    "encode",
    "exif_bomb",
    "gif",
    "gif_bomb",
    "gif_of",
    "jpeg",
    "jpeg_with",
    "orientation",
    "photo",
    "photograph",
    "png",
    "png_claiming",
    "profile_flood",
    "progressive_scans",
    "raw_png",
    "scan_bomb",
    "spoiled",
    "srgb_profile",
    "swapped_profile",
    "unfinished_texts",
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


def _children(box: bytes, start: int) -> list[bytes]:
    """The boxes within a box of ISO/IEC 14496-12, from an offset on."""
    found = []
    while start + 8 <= len(box):
        (size,) = struct.unpack_from(">I", box, start)
        found.append(box[start : start + size])
        start += size
    return found


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def avif_in_metadata(image: Image.Image) -> bytes:
    """A still AVIF whose data is in the box `idat` of the metadata, as some encoders write icons."""
    kind, meta, data = _children(encode(image, "AVIF"), 0)
    children = []
    for child in _children(meta, 12):
        if child[4:8] == b"iloc":  # version 1 says where: 1 is the box `idat`
            (items,) = struct.unpack_from(">H", child, 14)
            body = b"\1\0\0\0" + child[12:16]
            for place in range(16, 16 + 14 * items, 14):
                number, reference, extents, offset, length = struct.unpack_from(">HHHII", child, place)
                offset -= len(kind) + len(meta) + 8
                body += struct.pack(">HHHHII", number, 1, reference, extents, offset, length)
            child = _box(b"iloc", body)
        children.append(child)
    return kind + _box(b"meta", b"".join([meta[8:12], *children, _box(b"idat", data[8:])]))


def avif_without_size_of_alpha(image: Image.Image) -> bytes:
    """A still AVIF whose alpha is not said to have a size (the property `ispe`), as old encoders wrote it."""
    kind, meta, data = _children(encode(image, "AVIF"), 0)
    associations = meta.index(b"ipma") + 12
    # Of the second item: its number, how many properties, and the first of them, which is its size.
    alpha = meta.index(struct.pack(">HB", 2, 4) + b"\1", associations)
    changed = bytearray(meta)
    changed[alpha + 2] = 3
    del changed[alpha + 3]
    for name in (b"meta", b"iprp", b"ipma"):
        place = changed.index(name) - 4
        struct.pack_into(">I", changed, place, struct.unpack_from(">I", changed, place)[0] - 1)
    locations = changed.index(b"iloc") + 12
    for place in (locations + 6, locations + 20):
        struct.pack_into(">I", changed, place, struct.unpack_from(">I", changed, place)[0] - 1)
    return kind + bytes(changed) + data


def raw_png(
    width: int, bits: int, colour: int, rows: Iterable[bytes], before: bytes = b"", after: bytes = b""
) -> bytes:
    """A PNG of rows of packed samples, with chunks before and behind its image data."""
    lines = [b"\0" + row for row in rows]
    header = struct.pack(">2I5B", width, len(lines), bits, colour, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(b"".join(lines)))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + before + data + after + chunk(b"IEND", b"")


def spoiled(whole: bytes) -> bytes:
    """A chunk whose checksum is wrong."""
    return whole[:-1] + bytes([whole[-1] ^ 1])


class GifFrame(NamedTuple):
    """A frame of one colour, given by its number in `GIF_COLOURS`."""

    left: int
    top: int
    width: int
    height: int
    colour: int
    disposal: int = 0
    transparent: int | None = None
    hundredths: int = 10


GIF_COLOURS = ((200, 0, 0), (0, 180, 0), (0, 0, 220), (250, 250, 250))


def _lzw(values: bytes) -> bytes:
    """Image data without compression: codes stay 8 bits wide, as the table is cleared in time."""
    codes = b"".join(b"\x80" + values[start : start + 100] for start in range(0, len(values), 100)) + b"\x81"
    blocks = (codes[start : start + 255] for start in range(0, len(codes), 255))
    return b"\x07" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def gif_of(
    size: tuple[int, int], frames: Iterable[GifFrame], repetitions: int | None = None, between: bytes = b""
) -> bytes:
    """A GIF of frames of one colour, with a background colour that nobody is to see.

    Args:
        size: Width and height of the screen.
        frames: Its frames.
        repetitions: What its loop extension says; None: there is none.
        between: Bytes between two frames.
    """
    palette = b"".join(map(bytes, GIF_COLOURS)).ljust(3 * 128, b"\x40")
    parts = [b"GIF89a" + struct.pack("<2H3B", *size, 0xF6, 1, 0) + palette]
    if repetitions is not None:
        parts.append(b"\x21\xff\x0bNETSCAPE2.0" + struct.pack("<BBHB", 3, 1, repetitions, 0))
    drawn = []
    for frame in frames:
        flags = frame.disposal << 2 | (frame.transparent is not None)
        control = struct.pack("<4BHBB", 0x21, 0xF9, 4, flags, frame.hundredths, frame.transparent or 0, 0)
        place = struct.pack("<B4HB", 0x2C, frame.left, frame.top, frame.width, frame.height, 0)
        drawn.append(control + place + _lzw(bytes([frame.colour]) * (frame.width * frame.height)))
    return b"".join([*parts, between.join(drawn), b";"])


def profile_flood(profiles: int = 3_000) -> bytes:
    """A PNG of many profiles, each of which inflates to nearly 1 MB."""
    body = b"icc\0\0" + zlib.compress(bytes(900_000), 9)
    return png(4, 4, [chunk(b"iCCP", body)] * profiles)


def unfinished_texts(texts: int = 3_000) -> bytes:
    """A PNG of many compressed texts without their end."""
    body = zlib.compress(bytes(900_000), 9)[:-6]
    return png(4, 4, [chunk(b"zTXt", b"k\0\0" + body), chunk(b"iTXt", b"k\0\1\0\0\0" + body)] * texts)


def empty_blocks(size: int = 3_000_000) -> bytes:
    """Deflated data of so many bytes without content: blocks that build their code tables and end.

    46 bits make one block: dynamic codes, of which only the end of the block and one distance have any.
    """
    bits = "0" + "01" + "00000" + "00000"
    order = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1)
    lengths = {18: 1, 0: 2, 1: 2}
    bits += f"{len(order) - 4:04b}"[::-1]
    bits += "".join(f"{lengths.get(symbol, 0):03b}"[::-1] for symbol in order)
    zeros = "0" + f"{138 - 11:07b}"[::-1] + "0" + f"{256 - 138 - 11:07b}"[::-1]
    bits += zeros + "11" + "11" + "0"  # the end of the block, one distance; then the end itself
    whole = bits * 8
    block = bytes(int(whole[at : at + 8][::-1], 2) for at in range(0, len(whole), 8))
    return b"\x78\x9c" + block * (size // len(block))


def jpeg_with(data: bytes, junk: bytes, marker: int = 0xDB) -> bytes:
    """A JPEG with junk before the first marker of a kind."""
    place = data.index(bytes([0xFF, marker]))
    return data[:place] + junk + data[place:]
