"""Resizes an image: Pillow in as few steps, and over as few pixels, as the result allows.

1. The final size is worked out from the header, before anything is decoded.
2. A JPEG is decoded at the smallest of 1/8, 1/4, 3/8, 1/2 and 1/1 that leaves about twice the final size,
   and stays YCbCr when it becomes a JPEG again.
3. One `resize` crops and shrinks: whole pixels are averaged down to twice the size, Lanczos does the rest.
4. Colour profile, orientation and padding are applied to the small image.
5. It is encoded with options that fit a request's time; no metadata goes out.
"""

import io
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image, features

from shared.http import HttpError, UnprocessableError

from .guards import Header
from .variants import Variant

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform
    from PIL.ImageFile import ImageFile

__all__ = ["Plan", "Rendered", "plan", "render"]

# How much bigger than the final size the cheap steps leave the picture. At 1.5 some sizes are up to a third
# faster, and up to 9 dB further from a float Lanczos of the whole original than libvips is; at 2 none is.
GAP = 2.0
# Eighths at which a JPEG can be decoded, and the gap that each needs: 3/8 goes through libjpeg-turbo's exact
# transform, and stays beside libvips down to 1.6; the others are done by cheaper ones.
_EIGHTHS = ((1, GAP), (2, GAP), (3, 1.6), (4, GAP))
_OPENERS = {
    "jpeg": ("JpegImagePlugin", "JpegImageFile"),
    "png": ("PngImagePlugin", "PngImageFile"),
    "gif": ("GifImagePlugin", "GifImageFile"),
    "webp": ("WebPImagePlugin", "WebPImageFile"),
    "avif": ("AvifImagePlugin", "AvifImageFile"),
}
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_STILL: dict[str, dict[str, Any]] = {
    "jpeg": {"quality": 80},
    "png": {
        "compress_level": 6,
        "compress_type": 3,
    },  # 3 = Z_RLE: a third of the time, a few per cent more bytes
    "webp": {"quality": 80, "method": 4},
    "avif": {"quality": 50, "speed": 8, "max_threads": 1},  # speed 5 takes 20 times as long
    "gif": {},
}
_ANIMATED: dict[str, dict[str, Any]] = {
    "webp": {"quality": 75, "method": 2},
    "avif": {"quality": 50, "speed": 9, "max_threads": 1},
    "gif": {"optimize": False},
}
# Pixels a second of the slowest decoder and of the encoders, to guess whether the time left suffices.
_DECODE_RATE = 25_000_000
_ENCODE_RATE = {"jpeg": 40_000_000, "png": 10_000_000, "webp": 5_000_000, "avif": 3_000_000, "gif": 5_000_000}
_SHORTEST_FRAME_MS = 20  # what browsers show; shorter ones they slow down to 100 ms
_PALETTE = 256


class Plan(NamedTuple):
    """The geometry of one variant, in the picture's upright position.

    Attributes:
        size: Pixels of the shrunk picture; never more than the original has.
        crop: Width and height of the centred part of the original that is used, in original pixels.
        canvas: The box to pad to, or None.
    """

    size: tuple[int, int]
    crop: tuple[float, float]
    canvas: tuple[int, int] | None = None


class Rendered(NamedTuple):
    """An encoded variant."""

    data: bytes
    format: str
    size: tuple[int, int]

    @property
    def content_type(self) -> str:
        """Its media type."""
        return f"image/{self.format}"


def plan(width: int, height: int, variant: Variant) -> Plan:
    """Work out a variant's geometry for an original of width x height upright pixels."""
    if variant.width is None or variant.height is None or variant.fit != "cover":
        scale = min(1.0, (variant.width or width) / width, (variant.height or height) / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        if variant.fit == "contain" and variant.width and variant.height:
            return Plan(size, (width, height), (variant.width, variant.height))
        return Plan(size, (width, height))
    scale = min(1.0, width / variant.width, height / variant.height)
    size = max(1, round(variant.width * scale)), max(1, round(variant.height * scale))
    crop = (
        min(width, max(1.0, height * variant.width / variant.height)),
        min(height, max(1.0, width * variant.height / variant.width)),
    )
    return Plan(size, crop)


def render(header: Header, variant: Variant, checkpoint: Callable[[float], None]) -> Rendered:
    """Make one variant.

    Args:
        header: What `guards.inspect` found.
        variant: What to make; without a format, the original's is kept.
        checkpoint: Called before each costly step with a guess of the seconds that it takes; may raise.

    Raises:
        UnprocessableError: The image cannot be decoded.
        HttpError: Whatever `checkpoint` raises.
    """
    form = variant.format or header.format
    try:
        with _open(header) as image:
            frames = getattr(image, "n_frames", 1) if form in _ANIMATED and header.format != "png" else 1
            if frames > 1:
                return _animation(image, header, variant, form, checkpoint)
            return _still(image, header, variant, form, checkpoint)
    except HttpError:
        raise
    # Pillow's decoders raise nearly everything on hostile input; none of it is the function's fault.
    except Exception as error:
        raise UnprocessableError("corrupt", "The original cannot be decoded.") from error


def _open(header: Header) -> "ImageFile":
    # Not Image.open: it imports five plug-ins to find the one that is known already.
    module, name = _OPENERS[header.format]
    header.stream.seek(0)
    image: ImageFile = getattr(import_module(f"PIL.{module}"), name)(header.stream)
    return image


def _still(
    image: "ImageFile", header: Header, variant: Variant, form: str, checkpoint: Callable[[float], None]
) -> Rendered:
    geometry = _plan(image, header, variant)
    size, box = geometry.size, _box(image.size, geometry.crop)
    if header.orientation >= 5:  # stored on its side
        size, box = size[::-1], _box(image.size, geometry.crop[::-1])
    pixels = image.width * image.height
    if header.format == "jpeg":
        stays = form == "jpeg" and header.ycbcr and header.icc is None and geometry.canvas is None
        pixels, box = _draft(image, size, box, "YCbCr" if stays else None)
    checkpoint(pixels / _DECODE_RATE)
    small = _finish(_shrink(image, size, box), header, geometry, form)
    checkpoint(small.width * small.height / _ENCODE_RATE[form])
    output = io.BytesIO()
    if form == "gif":
        small = _to_palette(small)
    small.save(output, form, **_STILL[form])
    return Rendered(output.getvalue(), form, small.size)


def _plan(image: Image.Image, header: Header, variant: Variant) -> Plan:
    upright = image.size[::-1] if header.orientation >= 5 else image.size
    return plan(*upright, variant)


def _box(size: tuple[int, int], crop: tuple[float, float]) -> tuple[float, float, float, float]:
    left, top = (size[0] - crop[0]) / 2, (size[1] - crop[1]) / 2
    return left, top, min(left + crop[0], size[0]), min(top + crop[1], size[1])


def _draft(
    image: "ImageFile", size: tuple[int, int], box: tuple[float, float, float, float], mode: str | None
) -> tuple[int, tuple[float, float, float, float]]:
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


def _shrink(image: Image.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Image.Image:
    if image.mode in ("P", "PA", "1") or "transparency" in image.info or image.mode.startswith(("I", "F")):
        image = _continuous(image)
    return image.resize(size, Image.Resampling.LANCZOS, box, reducing_gap=GAP)


def _continuous(image: Image.Image) -> Image.Image:
    """Modes that cannot be averaged, or whose transparency is not in a band of its own, to ones that can."""
    if image.mode.startswith("I"):
        # 16-bit grey; convert("L") alone would clip it to white.
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        return image.convert("LA" if image.mode in ("1", "L", "LA") else "RGBA")
    return image.convert("L" if image.mode in ("1", "F") else "RGB")


def _finish(small: Image.Image, header: Header, geometry: Plan, form: str) -> Image.Image:
    """Colour, orientation, padding and alpha, on the small image."""
    if header.icc:
        small = _to_srgb(small, header.icc)
    if small.mode == "CMYK":
        small = small.convert("RGB")
    if header.orientation in _TRANSPOSITIONS:
        small = small.transpose(_TRANSPOSITIONS[header.orientation])
    if geometry.canvas:
        small = _pad(small, geometry.canvas, transparent=form != "jpeg")
    if form == "jpeg" and small.mode in ("LA", "RGBA"):
        small = _flatten(small)
    small.info = {}  # no comment, profile or gamma of the original's
    return small


def _pad(image: Image.Image, box: tuple[int, int], *, transparent: bool) -> Image.Image:
    if image.size == box:
        return image
    if transparent or image.mode == "LA":
        image = image.convert("RGBA")
    elif image.mode == "L":
        image = image.convert("RGB")
    canvas = Image.new(image.mode, box, (255, 255, 255, 0) if image.mode == "RGBA" else (255, 255, 255))
    canvas.paste(image, ((box[0] - image.width) // 2, (box[1] - image.height) // 2))
    return canvas


def _flatten(image: Image.Image) -> Image.Image:
    white = Image.new("RGB", image.size, (255, 255, 255))
    white.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return white


def _to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """Convert to sRGB; a profile that is broken or of another colour space changes nothing."""
    from PIL import ImageCms

    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colour = image.convert(image.mode.rstrip("A")) if alpha else image
    transform = _transform(icc, colour.mode)
    if transform is None:
        return image
    converted = ImageCms.applyTransform(colour, transform)
    if converted is None or colour.mode == "L":
        converted = (converted or colour).convert("L")
    if alpha:
        converted.putalpha(alpha)
    return converted


@lru_cache(maxsize=8)
def _transform(icc: bytes, mode: str) -> "ImageCmsTransform | None":
    # Building one takes longer than applying it to a small image, and pictures of one source share a profile.
    from PIL import ImageCms

    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _animation(
    image: "ImageFile", header: Header, variant: Variant, form: str, checkpoint: Callable[[float], None]
) -> Rendered:
    geometry = _plan(image, header, variant)
    size, box = geometry.size, _box(image.size, geometry.crop)
    if header.orientation >= 5:
        size, box = size[::-1], _box(image.size, geometry.crop[::-1])
    frames: list[Image.Image] = []
    durations: list[int] = []
    loop = image.info.get("loop")
    for number in range(getattr(image, "n_frames", 1)):
        checkpoint(image.width * image.height / _DECODE_RATE)
        image.seek(number)
        image.load()
        duration = int(image.info.get("duration", 0))
        durations.append(duration if duration >= _SHORTEST_FRAME_MS else 100)
        # Frames of one file differ in mode (palette, colour, alpha); an encoder wants them alike.
        frame = _finish(_shrink(image.convert("RGBA"), size, box), header, geometry, form)
        frames.append(_to_palette(frame) if form == "gif" else frame)
    first, *rest = frames
    checkpoint(len(frames) * first.width * first.height / _ENCODE_RATE[form])
    options: dict[str, Any] = _ANIMATED[form] | {
        "save_all": True,
        "append_images": rest,
        "duration": durations,
    }
    if header.format == form and loop is not None:
        options["loop"] = loop
    elif header.format == "gif" and form != "gif":
        # A GIF counts repetitions, and without a count plays once; WebP counts plays. 0 is for ever.
        repetitions = 0 if loop is None else loop
        options["loop"] = 0 if loop == 0 else repetitions + 1
    if form == "gif" and any("transparency" in frame.info for frame in frames):
        options["disposal"] = 2
    output = io.BytesIO()
    first.save(output, form, **options)
    return Rendered(output.getvalue(), form, first.size)


def _to_palette(image: Image.Image) -> Image.Image:
    """The best palette for one frame; transparent where alpha is below a half."""
    if image.mode not in ("LA", "RGBA"):
        return image.convert("RGB").quantize(_PALETTE)
    alpha = image.getchannel("A")
    opaque = image.convert("RGB")
    if alpha.getextrema()[0] >= _PALETTE // 2:  # type: ignore[operator]
        return opaque.quantize(_PALETTE)
    palette = opaque.quantize(_PALETTE - 1)
    palette.paste(_PALETTE - 1, mask=alpha.point(lambda value: 255 * (value < _PALETTE // 2)))
    palette.info["transparency"] = _PALETTE - 1
    return palette
