"""What the walks over containers share: the header that they give, limits, refusals, and streams of parts.

Broken metadata is no error: it is left out of what is decoded, as every browser does.
"""

import io
import struct
from bisect import bisect_right
from collections.abc import Buffer, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple

from shared.http import UnprocessableError

if TYPE_CHECKING:
    from .gif import Gif

__all__ = [
    "BLOCK",
    "MAX_FRAMES",
    "MAX_METADATA",
    "MAX_PIXELS",
    "MAX_SKIPPED",
    "Header",
    "Part",
    "Source",
    "check_frames",
    "check_parts",
    "check_pixels",
    "corrupt",
    "metadata_bomb",
    "open_parts",
    "orientation_of",
    "read",
    "too_much_skipped",
    "truncated",
]

type Source = Literal["jpeg", "png", "gif", "webp", "avif"]
type Part = bytes | tuple[int, int]  # bytes, or where a part of the file starts and how long it is

# Pixels that decode within the function's memory and time. A baseline JPEG is decoded at a fraction of its
# size, a progressive one keeps all its coefficients. Of 50 megapixels a WebP, which keeps three copies of the
# canvas, takes 800 MB, an AVIF 470 MB.
MAX_PIXELS = {
    "jpeg": 120_000_000,
    "progressive": 60_000_000,
    "png": 60_000_000,
    "webp": 60_000_000,
    "avif": 60_000_000,
    "gif": 60_000_000,
}
MAX_ANIMATION_PIXELS = 60_000_000  # of all frames together
MAX_FRAMES = 1_000
MAX_METADATA = 1_048_576  # bytes of text or profiles, deflated or inflated; Pillow's own limit of a text, too
MAX_SKIPPED = 65_536  # bytes between the parts of a file that are none; a decoder looks at each of them

BLOCK = 65_536
_EXIF_ORIENTATION = 0x0112


class Header(NamedTuple):
    """What is known of an image before it is decoded.

    Attributes:
        format: The format its content has.
        width: Pixels as stored, before the orientation is applied.
        height: Pixels as stored.
        stream: What to decode: the picture, less the metadata and what follows its end.
        length: Bytes of the file.
        orientation: EXIF orientation, 1 to 8.
        icc: Colour profile.
        ycbcr: Whether it is a JPEG whose samples are YCbCr.
        palette: Whether it is a PNG of few colours: with a palette, or with samples of less than 8 bits.
        plays: How often an animation is shown; 0 is for ever.
        gif: The frames, if it is a GIF.
        is_clean: Whether `stream` holds a file that every browser shows, and nothing private.
        twin: Of a JPEG without an end, `stream` with other data where some may be missing.
    """

    format: Source
    width: int
    height: int
    stream: BinaryIO
    length: int = 0
    orientation: int = 1
    icc: bytes | None = None
    ycbcr: bool = False
    palette: bool = False
    plays: int = 0
    gif: "Gif | None" = None
    is_clean: bool = True
    twin: BinaryIO | None = None


class _Parts(io.RawIOBase):
    """A read-only file put together from bytes and parts of another file."""

    def __init__(self, file: BinaryIO, parts: Sequence[Part]) -> None:
        self._file, self._parts, self._position = file, parts, 0
        lengths = (len(part) if isinstance(part, bytes) else part[1] for part in parts)
        self._ends = list(accumulate(lengths))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == io.SEEK_END:
            offset += self._ends[-1]
        elif whence == io.SEEK_CUR:
            offset += self._position
        self._position = offset
        return offset

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        number = bisect_right(self._ends, self._position)
        if number == len(self._parts):
            return 0
        size = min(len(view), self._ends[number] - self._position)
        part = self._parts[number]
        if isinstance(part, bytes):
            offset = self._position - self._ends[number] + len(part)
            data = part[offset : offset + size]
        else:
            self._file.seek(sum(part) + self._position - self._ends[number])
            data = self._file.read(size)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)


def open_parts(file: BinaryIO, parts: Sequence[Part]) -> BinaryIO:
    """A file put together from bytes and parts of another file."""
    return io.BufferedReader(_Parts(file, [part for part in parts if part]), BLOCK)


def read(file: BinaryIO, length: int) -> bytes:
    """So many bytes.

    Raises:
        UnprocessableError: The file ends before.
    """
    data = file.read(length)
    if len(data) < length:
        raise truncated()
    return data


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


def truncated() -> UnprocessableError:
    return UnprocessableError("truncated", "The original ends too early.")


def corrupt() -> UnprocessableError:
    return UnprocessableError("corrupt", "The original is broken.")


def metadata_bomb() -> UnprocessableError:
    return UnprocessableError(
        "metadata_too_large", "The original's text or colour profile inflates beyond any use."
    )


def too_much_skipped() -> UnprocessableError:
    return UnprocessableError("too_much_padding", "The original has more padding than any encoder writes.")


def check_pixels(width: int, height: int, limit: int) -> None:
    """Refuse a picture without pixels, or with too many."""
    if not width or not height:
        raise corrupt()
    if width * height > limit:
        raise UnprocessableError("too_many_pixels", "The original has more pixels than can be decoded here.")


def check_frames(frames: int, width: int, height: int) -> None:
    """Refuse an animation of too many frames or pixels."""
    if frames > MAX_FRAMES or frames * width * height > MAX_ANIMATION_PIXELS:
        raise UnprocessableError(
            "too_many_frames", "The animation has more frames and pixels than can be decoded here."
        )


def check_parts(count: int, limit: int) -> None:
    """Refuse a file of too many parts."""
    if count > limit:
        raise UnprocessableError(
            "too_many_parts", "The original is cut into more parts than any encoder writes."
        )
