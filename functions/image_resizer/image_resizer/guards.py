"""Looks at an image's structure before anything is decoded, and refuses what would hurt.

Content alone decides the format, never a name. The walk over markers, chunks and blocks finds truncation
and bombs (pixels, scans, frames, compressed metadata) in little memory and a time bounded by limits of its
own, and collects what the recipe needs: size, orientation, colour profile. Broken metadata is no error: it
is dropped.

Sources: ITU T.81 (JPEG), PNG 3rd edition, GIF89a, RFC 9649 (WebP), TIFF 6.0 and Exif 2.32 (orientation).
"""

import io
import re
import struct
import zlib
from collections.abc import Buffer, Iterator
from typing import BinaryIO, Literal, NamedTuple

from shared.http import UnprocessableError, UnsupportedTypeError

__all__ = ["Header", "Source", "inspect", "orientation_of", "sniff"]

type Source = Literal["jpeg", "png", "gif", "webp", "avif"]

# Pixels that decode within the function's memory and time. A baseline JPEG is decoded at a fraction of its
# size, a progressive one keeps all its coefficients, and WebP and AVIF keep three copies of the canvas.
MAX_PIXELS = {
    "jpeg": 120_000_000,
    "progressive": 60_000_000,
    "png": 60_000_000,
    "webp": 40_000_000,
    "avif": 40_000_000,
}
MAX_ANIMATION_PIXELS = 60_000_000  # of all frames together
MAX_FRAMES = 1_000
MAX_SCANS = 100
MAX_SEGMENTS = 2_000  # of a JPEG, or boxes of an AVIF; an ICC profile has at most 255
MAX_CHUNKS = 100_000  # of a PNG or WebP; encoders write 8 kB and more into each
MAX_SUB_BLOCKS = 400_000  # of a GIF; a full one has 255 bytes
MAX_METADATA = 1_048_576  # bytes of inflated text or profile; Pillow's own limit too
MAX_AVIF_HEAD = 4_194_304  # bytes up to the end of an AVIF's metadata, which encoders write first

_BLOCK = 65_536
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # in entropy-coded data; FF00 and RSTn belong to it
_EXIF_ORIENTATION = 0x0112


class Header(NamedTuple):
    """What is known of an image before it is decoded.

    Attributes:
        format: The format its content has.
        width: Pixels as stored, before the orientation is applied.
        height: Pixels as stored.
        stream: What to decode: the file, less what Pillow would parse of a JPEG's or AVIF's metadata.
        orientation: EXIF orientation, 1 to 8.
        icc: Colour profile.
        ycbcr: Whether it is a JPEG whose samples are YCbCr.
    """

    format: Source
    width: int
    height: int
    stream: BinaryIO
    orientation: int = 1
    icc: bytes | None = None
    ycbcr: bool = False


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
    file.seek(0)
    form = sniff(file.read(32))
    file.seek(0)
    try:
        match form:
            case "jpeg":
                return _jpeg(file)
            case "png":
                return _png(file)
            case "gif":
                return _gif(file)
            case "webp":
                return _webp(file)
            case "avif":
                return _avif(file)
    except (struct.error, IndexError):
        raise _truncated() from None


def orientation_of(exif: bytes) -> int:
    """EXIF orientation 1 to 8; 1 where the data is broken or silent."""
    for tag, kind, _, value in _directory(exif.removeprefix(b"Exif\0\0")):
        if tag == _EXIF_ORIENTATION and kind == 3 and 1 <= value <= 8:
            return value
    return 1


def _directory(tiff: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Tag, type, count and first short value of each entry in the first directory of a TIFF structure."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 10:
        return
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    entry = struct.Struct(order + "HHIH2x")
    count = struct.unpack_from(order + "H", tiff, start)[0] if start + 2 <= len(tiff) else 0
    for offset in range(start + 2, min(start + 2 + 12 * count, len(tiff) - 11), 12):
        yield entry.unpack_from(tiff, offset)


def _truncated() -> UnprocessableError:
    return UnprocessableError("truncated", "The original ends too early.")


def _corrupt() -> UnprocessableError:
    return UnprocessableError("corrupt", "The original is broken.")


def _check_pixels(width: int, height: int, limit: int) -> None:
    if not width or not height:
        raise _corrupt()
    if width * height > limit:
        raise UnprocessableError("too_many_pixels", "The original has more pixels than can be decoded here.")


def _check_frames(frames: int, width: int, height: int) -> None:
    if frames > MAX_FRAMES or frames * width * height > MAX_ANIMATION_PIXELS:
        raise UnprocessableError(
            "too_many_frames", "The animation has more frames and pixels than can be decoded here."
        )


def _check_parts(count: int, limit: int) -> None:
    if count > limit:
        raise UnprocessableError(
            "too_many_parts", "The original is cut into more parts than any encoder writes."
        )


def _read(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) < length:
        raise _truncated()
    return data


# ---- JPEG ------------------------------------------------------------------------------------------------


_FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})  # baseline to progressive, Huffman or arithmetic
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE})  # and application segments, comments


class _Spliced(io.RawIOBase):
    """A read-only file made of some bytes and the rest of another file."""

    def __init__(self, head: bytes, file: BinaryIO, start: int) -> None:
        self._head, self._file, self._start, self._position = head, file, start, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the start")
        self._position = offset
        return offset

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        if self._position < len(self._head):
            data = self._head[self._position : self._position + len(view)]
        else:
            self._file.seek(self._start + self._position - len(self._head))
            data = self._file.read(len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


class _JpegSegments:
    """What the segments before the first scan say.

    Pillow would parse EXIF, MPF and Photoshop segments while opening, and an EXIF directory of 64 kB can
    claim hundreds of MB. It gets the picture without them.

    Attributes:
        kept: The segments that Pillow gets.
        exif: The first EXIF segment.
        frame: The frame header's body.
        progressive: Whether the frame is a progressive one.
    """

    def __init__(self) -> None:
        self.kept = [b"\xff\xd8"]
        self.exif = self.frame = b""
        self.progressive = False
        self._profile: dict[int, bytes] = {}
        self._jfif = False
        self._adobe: int | None = None

    def add(self, marker: int, body: bytes) -> None:
        if marker == 0xE1 and body.startswith(b"Exif\0\0"):
            self.exif = self.exif or body
        elif marker == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            self._profile[body[12]] = body[14:]
        elif marker in _FRAMES:
            if self.frame:
                raise _corrupt()
            self.frame, self.progressive = body, marker in (0xC2, 0xCA)
        elif marker == 0xE0 and body.startswith(b"JFIF"):
            self._jfif = True
        elif marker == 0xEE:
            if not body.startswith(b"Adobe") or len(body) < 12:
                return  # none of Adobe's to libjpeg, and an error to Pillow
            self._adobe = body[11]
        if not 0xE1 <= marker <= 0xED and marker not in (0xEF, 0xFE):
            self.kept.append(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body)

    @property
    def profile(self) -> bytes | None:
        """The ICC profile, put together from its segments."""
        return b"".join(self._profile[number] for number in sorted(self._profile)) or None

    @property
    def is_ycbcr(self) -> bool:
        """Whether three components are YCbCr: libjpeg's rule, `default_decompress_parms` of jdapimin.c."""
        if self._jfif:
            return True
        if self._adobe is not None:
            return self._adobe != 0
        return self.frame[6::3][:3] != b"RGB"


def _jpeg(file: BinaryIO) -> Header:
    segments = _JpegSegments()
    file.seek(2)
    for _ in range(MAX_SEGMENTS):
        marker, body = _jpeg_segment(file, _FRAMES | _TABLES | {0xDA})
        segments.add(marker, body)
        if marker == 0xDA:
            break
    else:
        _check_parts(MAX_SEGMENTS + 1, MAX_SEGMENTS)
    precision, height, width, components = struct.unpack_from(">BHHB", segments.frame)
    if precision != 8 or components not in (1, 3, 4):
        raise _corrupt()
    _check_pixels(width, height, MAX_PIXELS["progressive" if segments.progressive else "jpeg"])
    start = file.tell()
    _jpeg_scans(file)
    ycbcr = components == 3 and segments.is_ycbcr
    stream = io.BufferedReader(_Spliced(b"".join(segments.kept), file, start), _BLOCK)
    return Header("jpeg", width, height, stream, orientation_of(segments.exif), segments.profile, ycbcr)


def _jpeg_segment(file: BinaryIO, allowed: frozenset[int]) -> tuple[int, bytes]:
    marker = _read(file, 2)
    while marker == b"\xff\xff":  # fill bytes
        marker = b"\xff" + _read(file, 1)
    if marker[0] != 0xFF or marker[1] not in allowed:
        raise _corrupt()
    (length,) = struct.unpack(">H", _read(file, 2))
    if length < 2:
        raise _corrupt()
    return marker[1], _read(file, length - 2)


def _jpeg_scans(file: BinaryIO) -> None:
    """From the first scan's data to the end of the image."""
    scans = 1
    for _ in range(MAX_SEGMENTS):
        _to_marker(file)
        if _read(file, 2)[1] == 0xD9:
            return
        file.seek(-2, io.SEEK_CUR)
        marker, _body = _jpeg_segment(file, _TABLES | {0xDA, 0xDC})
        scans += marker == 0xDA
        if scans > MAX_SCANS:
            raise UnprocessableError(
                "too_many_scans", "The original has more progressive scans than any encoder writes."
            )
    _check_parts(MAX_SEGMENTS + 1, MAX_SEGMENTS)


def _to_marker(file: BinaryIO) -> None:
    """Move to the next marker of entropy-coded data."""
    while True:
        block = file.read(_BLOCK)
        if len(block) < 2:
            raise _truncated()
        if found := _MARKER.search(block):
            file.seek(found.start() - len(block), io.SEEK_CUR)
            return
        if block.endswith(b"\xff"):
            file.seek(-1, io.SEEK_CUR)


# ---- PNG -------------------------------------------------------------------------------------------------


def _png(file: BinaryIO) -> Header:
    file.seek(8)
    width = height = text = 0
    orientation, icc, data = 1, None, False
    for count in range(MAX_CHUNKS):
        length, kind = struct.unpack(">I4s", _read(file, 8))
        if count == 0:
            if kind != b"IHDR" or length != 13:
                raise _corrupt()
            width, height = struct.unpack(">II", _read(file, 8))
            _check_pixels(width, height, MAX_PIXELS["png"])
            file.seek(16)
        body = _checked_chunk(file, kind, length)
        if kind == b"IEND":
            break
        data = data or kind == b"IDAT"
        if kind == b"iCCP":
            icc = _inflate(body.partition(b"\0")[2][1:])
        elif kind == b"eXIf":
            orientation = orientation_of(body)
        text += _inflated_text(kind, body)
        if text > MAX_METADATA:
            raise _metadata_bomb()
    else:
        _check_parts(MAX_CHUNKS + 1, MAX_CHUNKS)
    if not data:
        raise _corrupt()
    return Header("png", width, height, file, orientation, icc)


def _inflated_text(kind: bytes, body: bytes) -> int:
    """The size of a chunk's compressed text once inflated, in bytes; 0 of every other chunk."""
    _, _, rest = body.partition(b"\0")  # behind the keyword
    if kind == b"zTXt":
        packed = rest[1:]
    elif kind == b"iTXt" and rest[:1] == b"\1":
        packed = rest[2:].split(b"\0", 2)[-1]
    else:
        return 0
    return len(_inflate(packed) or b"")


def _checked_chunk(file: BinaryIO, kind: bytes, length: int) -> bytes:
    """A chunk's body, its checksum compared; of the image data only the checksum."""
    checksum = zlib.crc32(kind)
    body = b""
    if kind == b"IDAT":
        while length:
            block = _read(file, min(length, _BLOCK))
            checksum = zlib.crc32(block, checksum)
            length -= len(block)
    else:
        body = _read(file, length)
        checksum = zlib.crc32(body, checksum)
    if struct.unpack(">I", _read(file, 4))[0] != checksum:
        raise _corrupt()
    return body


def _inflate(data: bytes) -> bytes | None:
    """Inflate metadata; None where it is broken."""
    decoder = zlib.decompressobj()
    try:
        inflated = decoder.decompress(data, MAX_METADATA + 1)
    except zlib.error:
        return None
    if len(inflated) > MAX_METADATA:
        raise _metadata_bomb()
    return inflated if decoder.eof else None


def _metadata_bomb() -> UnprocessableError:
    return UnprocessableError(
        "metadata_too_large", "The original's text or colour profile inflates beyond any use."
    )


# ---- GIF -------------------------------------------------------------------------------------------------


def _gif(file: BinaryIO) -> Header:
    data = file.read()
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + _color_table(flags)
    frames = blocks = 0
    while position < len(data) and data[position] != 0x3B:
        if data[position] == 0x2C:
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, position + 1)
            width, height = max(width, left + wide), max(height, top + high)
            frames += 1
            _check_frames(frames, width, height)
            position += 11 + _color_table(flags)
        elif data[position] == 0x21:
            position += 2
        else:
            raise _corrupt()
        while size := data[position]:
            position += 1 + size
            blocks += 1
            _check_parts(blocks, MAX_SUB_BLOCKS)
        position += 1
    # Some old encoders leave the trailer out: an end between two blocks is none too early.
    if not frames:
        raise _truncated() if position >= len(data) else _corrupt()
    _check_pixels(width, height, MAX_ANIMATION_PIXELS)
    return Header("gif", width, height, file)


def _color_table(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


# ---- WebP ------------------------------------------------------------------------------------------------


def _webp(file: BinaryIO) -> Header:
    (riff,) = struct.unpack("<4xI", _read(file, 8))
    end = file.seek(0, io.SEEK_END)
    if end < riff + 8:
        raise _truncated()
    position, end = 12, riff + 8
    width = height = frames = 0
    orientation, icc = 1, None
    for _ in range(MAX_CHUNKS):
        if position + 8 > end:
            break
        file.seek(position)
        kind, length = struct.unpack("<4sI", _read(file, 8))
        if position + 8 + length > end:
            raise _truncated()
        if kind in (b"VP8X", b"VP8 ", b"VP8L") and not width:
            width, height = _webp_size(kind, _read(file, min(length, 10)))
            _check_pixels(width, height, MAX_PIXELS["webp"])
        elif kind == b"ANMF":
            frames += 1
            _check_frames(frames, width, height)
        elif kind == b"ICCP" and length <= MAX_METADATA:
            icc = _read(file, length)
        elif kind == b"EXIF" and length <= MAX_METADATA:
            orientation = orientation_of(_read(file, length))
        position += 8 + length + (length & 1)
    else:
        _check_parts(MAX_CHUNKS + 1, MAX_CHUNKS)
    return Header("webp", *_known(width, height), file, orientation, icc)


def _webp_size(kind: bytes, body: bytes) -> tuple[int, int]:
    if kind == b"VP8X":
        low, high = struct.unpack("<4x3s3s", body)
        return 1 + int.from_bytes(low, "little"), 1 + int.from_bytes(high, "little")
    if kind == b"VP8 ":
        width, height = struct.unpack("<6xHH", body)
        return width & 0x3FFF, height & 0x3FFF
    bits = int.from_bytes(body[1:5], "little")
    return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)


def _known(width: int, height: int) -> tuple[int, int]:
    if not width or not height:
        raise _corrupt()
    return width, height


# ---- AVIF ------------------------------------------------------------------------------------------------


def _avif(file: BinaryIO) -> Header:
    from PIL.AvifImagePlugin import AvifImageFile

    stream = _without_exif(file)
    try:
        image = AvifImageFile(stream)
    except Exception:  # noqa: BLE001  # whatever a broken container makes the parser raise
        raise _corrupt() from None
    _check_pixels(image.width, image.height, MAX_PIXELS["avif"])
    if image.n_frames > 1:
        _check_frames(image.n_frames, image.width, image.height)
    # What the container says of rotation and mirroring, which Pillow passes on as EXIF.
    orientation = orientation_of(image.info.get("exif", b""))
    return Header("avif", image.width, image.height, stream, orientation, image.info.get("icc_profile"))


def _without_exif(file: BinaryIO) -> BinaryIO:
    """The file with its EXIF items renamed, which Pillow would parse with every byte that they claim."""
    end = file.seek(0, io.SEEK_END)
    head = b""
    position, data = 0, False
    for _ in range(MAX_SEGMENTS):
        if position + 8 > end:
            break
        file.seek(position)
        size, kind = struct.unpack(">I4s", _read(file, 8))
        if size == 1:
            (size,) = struct.unpack(">Q", _read(file, 8))
        size = size or end - position
        if size < 8 or position + size > end:
            if data:
                break  # bytes behind the image
            raise _truncated()
        position += size
        data = data or kind == b"mdat"
        if kind == b"meta":
            if position > MAX_AVIF_HEAD:
                raise _metadata_bomb()
            file.seek(len(head))
            before = _read(file, position - size - len(head))
            head += before + _read(file, size).replace(b"Exif", b"none")
    else:
        _check_parts(MAX_SEGMENTS + 1, MAX_SEGMENTS)
    if not data:
        raise _truncated()
    return io.BufferedReader(_Spliced(head, file, len(head)), _BLOCK)
