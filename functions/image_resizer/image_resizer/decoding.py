"""Opens pictures: Pillow's decoders, each with what it lacks."""

import time
import zlib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import Image, ImageChops, features

from shared.http import HttpError, UnprocessableError

from .containers import gif
from .containers.common import Header, corrupt, truncated

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

__all__ = ["DECODE_RATE", "GAP", "Box", "check_end", "draft", "frames", "open_image"]

# How much bigger than the final size the cheap steps leave the picture. At 1.5 some sizes are up to a third
# faster, and up to 9 dB further from a float Lanczos of the whole original than libvips is; at 2 none is.
GAP = 2.0
# Eighths at which a JPEG can be decoded, and the gap that each needs: 3/8 goes through libjpeg-turbo's exact
# transform, and stays beside libvips down to 1.6; the others are done by cheaper ones.
_EIGHTHS = ((1, GAP), (2, GAP), (3, 1.6), (4, GAP))
_OPENERS = {
    "jpeg": ("JpegImagePlugin", "JpegImageFile"),
    "png": ("PngImagePlugin", "PngImageFile"),
    "webp": ("WebPImagePlugin", "WebPImageFile"),
    "avif": ("AvifImagePlugin", "AvifImageFile"),
}
DECODE_RATE = 25_000_000  # pixels a second of the slowest decoder
# CPU seconds after which a decoder that reads its stream in blocks is stopped: no honest picture takes them.
_DECODE_S, _DECODE_FACTOR = 0.5, 4
# A PNG's samples of 16 bits: the mode to decode them in, and how its upper and its lower half.
_HALVES = {"I;16B": ("L", "L;16B", "L;16"), "RGB;16B": ("RGB", "RGB;16B", "RGB;16L")}
_SAMPLE_SCALES = {"L;2": 85, "L;4": 17}  # to 8 bits
_STRIP = 256  # rows

type Box = tuple[float, float, float, float]


class _Bounded:
    """A stream that stops a decoder which takes longer than any picture of its size.

    A PNG's image data can be blocks of nothing, each of which has its tables built.
    """

    def __init__(self, header: Header, stream: BinaryIO) -> None:
        self._stream = stream
        allowed = _DECODE_S + _DECODE_FACTOR * header.width * header.height / DECODE_RATE
        self._end = time.process_time() + allowed
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        if time.process_time() > self._end:
            raise UnprocessableError(
                "too_costly", "The original takes longer to be made smaller than is granted here."
            )
        return self._stream.read(size)


def open_image(header: Header) -> Image.Image:
    """The picture, or the first frame; of what Pillow decodes step by step the pixels are not read yet."""
    if header.gif:
        return next(gif.frames(header.gif))[0]
    image = _opened(header, header.stream)
    return _png(image, header) if header.format == "png" else image


def _opened(header: Header, stream: BinaryIO) -> "ImageFile":
    # Not Image.open: it imports five plug-ins to find the one that is known already.
    module, name = _OPENERS[header.format]
    stream.seek(0)
    image: ImageFile = getattr(import_module(f"PIL.{module}"), name)(_Bounded(header, stream))
    if header.format != "avif" and image.size != (header.width, header.height):
        raise corrupt()  # an AVIF's is that of what it is cut to
    return image


def frames(image: Image.Image, header: Header) -> Iterator[tuple[Image.Image, int]]:
    """Each frame of an animation and for how many ms it is shown. A frame is valid until the next one."""
    if header.gif:
        yield from gif.frames(header.gif)
        return
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        image.load()
        yield image, int(image.info.get("duration", 0))


# ---- PNG -------------------------------------------------------------------------------------------------


def _png(image: "ImageFile", header: Header) -> Image.Image:
    """A PNG in a mode that can be averaged, its transparent colour made a band.

    Pillow compares that colour with samples that it has brought to 8 bits already.
    """
    raw: Any = image.tile[0].args
    key: Any = None if image.mode == "P" else image.info.pop("transparency", None)
    if raw not in _HALVES:
        if key is None:
            return image
        opaque = image.convert("L") if image.mode == "1" else image
        scale = _SAMPLE_SCALES.get(raw, 1)
        return _with_hole(opaque, [(opaque, [value * scale for value in _values(key)])])
    mode, upper, lower = _HALVES[raw]
    _decode_as(image, mode, upper)
    if key is None:
        return image
    image.load()  # before the stream is read again
    rest = _opened(header, header.stream)
    _decode_as(rest, mode, lower)
    values = _values(key)
    halves = (image, [value >> 8 for value in values]), (rest, [value & 255 for value in values])
    return _with_hole(image, list(halves))


def _values(key: Any) -> tuple[int, ...]:
    return key if isinstance(key, tuple) else (key,)


def _decode_as(image: "ImageFile", mode: str, raw: str) -> None:
    image._mode = mode
    image.tile = [image.tile[0]._replace(args=raw)]


def _with_hole(picture: Image.Image, compared: list[tuple[Image.Image, list[int]]]) -> Image.Image:
    """The picture, transparent where all bands of all compared pictures have the given values."""
    alpha = Image.new("L", picture.size)
    for image, values in compared:
        for band, value in zip(image.split(), values, strict=True):
            table = [255] * 256
            if value < 256:
                table[value] = 0
            alpha = ImageChops.lighter(alpha, band.point(table))
    picture.putalpha(alpha)
    return picture


# ---- JPEG ------------------------------------------------------------------------------------------------


def draft(image: "ImageFile", size: tuple[int, int], box: Box, mode: str | None) -> tuple[int, Box]:
    """Have a JPEG decoded at a fraction of its size; the pixels to decode, and the box in the fraction's."""
    width, height = image.size
    shrink = min((box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1])
    eighths = next((part for part, gap in _EIGHTHS if shrink * part / 8 >= gap and _decodes(part)), 8)
    if eighths == 3:
        # Pillow's draft knows powers of two only, its decoder hands any denominator on: 1/3 means 3/8 there.
        image.draft(mode, None)
        image._size = -(-width * 3 // 8), -(-height * 3 // 8)
        image.tile = [image.tile[0]._replace(extents=(0, 0, *image.size))]
        image.decoderconfig = (3, 0)
    else:
        image.draft(mode, (width * eighths // 8, height * eighths // 8))
    scale = eighths / 8
    return image.width * image.height, (box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale)


@cache
def _decodes(eighths: int) -> bool:
    """Whether the JPEG library can; an older libjpeg rounds 3/8 to a size that Pillow has no room for."""
    return eighths != 3 or bool(features.check_feature("libjpeg_turbo"))


def check_end(header: Header) -> None:
    """Refuse a JPEG without an end whose pixels depend on data that may be missing there.

    libjpeg makes up what is missing, and Pillow does not say so. Decoded with other data in that place the
    picture is the same only if nothing is missing.
    """
    if not header.twin:
        return
    try:
        same = _checksum(header, header.stream) == _checksum(header, header.twin)
    except HttpError:
        raise
    except Exception as error:  # whatever Pillow's decoder makes of a broken file
        raise corrupt() from error
    if not same:
        raise truncated()


def _checksum(header: Header, stream: BinaryIO) -> int:
    """A checksum of a picture's pixels, made strip by strip."""
    image = _opened(header, stream)
    checksum = 0
    for top in range(0, image.height, _STRIP):
        strip = image.crop((0, top, image.width, min(top + _STRIP, image.height)))
        checksum = zlib.crc32(strip.tobytes(), checksum)
    return checksum
