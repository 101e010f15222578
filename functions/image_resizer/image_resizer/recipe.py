"""Resizes an image: Pillow in as few steps, and over as few pixels, as the result allows.

1. The final size is worked out from the header, before anything is decoded.
2. A JPEG is decoded at the smallest of 1/8, 1/4, 3/8, 1/2 and 1/1 that leaves about twice the final size,
   and stays YCbCr when it becomes a JPEG again.
3. One `resize` crops and shrinks: whole pixels are averaged down to twice the size, Lanczos does the rest.
4. Colour profile, orientation and padding are applied to the small image.
5. It is encoded with options that fit a request's time; no metadata goes out.
"""

import io
import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

from PIL import Image, ImageChops

from shared.http import HttpError, UnprocessableError

from .containers.common import Header
from .decoding import DECODE_RATE, GAP, Box, draft, frames, open_image
from .encoding import ANIMATED, animation, check_size, encode_s, gif_palette, still
from .variants import Variant

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform
    from PIL.ImageFile import ImageFile

__all__ = ["MAX_OUTPUT_PIXELS", "MAX_SIDE", "Plan", "Rendered", "plan", "render"]

# A variant of which one side decides the other is bounded all the same.
MAX_SIDE = 32_767  # libavif decodes up to 32,768: AVIF_DEFAULT_IMAGE_DIMENSION_LIMIT
MAX_OUTPUT_PIXELS = 16_777_216

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PALETTE = 256
_SRGB_ERROR = 2  # of 255, by which a profile of sRGB may change a colour

type _Checkpoint = Callable[[float], None]


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
        canvas = None
        box = variant.width or width, variant.height or height
        if variant.fit == "contain" and variant.width and variant.height:
            bound = _bound(*box)
            canvas = box = max(1, round(box[0] * bound)), max(1, round(box[1] * bound))
        scale = min(1.0, box[0] / width, box[1] / height)
        scale *= _bound(width * scale, height * scale)
        return Plan((max(1, round(width * scale)), max(1, round(height * scale))), (width, height), canvas)
    scale = min(1.0, width / variant.width, height / variant.height)
    scale *= _bound(variant.width * scale, variant.height * scale)
    size = max(1, round(variant.width * scale)), max(1, round(variant.height * scale))
    crop = (
        min(width, max(1.0, height * variant.width / variant.height)),
        min(height, max(1.0, width * variant.height / variant.width)),
    )
    return Plan(size, crop)


def _bound(width: float, height: float) -> float:
    """The factor, at most 1, that brings a size within the bounds of every variant."""
    return min(1.0, MAX_SIDE / width, MAX_SIDE / height, math.sqrt(MAX_OUTPUT_PIXELS / (width * height)))


def render(header: Header, variant: Variant, checkpoint: _Checkpoint) -> Rendered:
    """Make one variant.

    Args:
        header: What `guards.inspect` found.
        variant: What to make; without a format, the original's is kept.
        checkpoint: Called before each costly step with the seconds that it takes, guessed or measured; may
            raise.

    Raises:
        UnprocessableError: The image cannot be decoded, or not be written in that format.
        HttpError: Whatever `checkpoint` raises.
    """
    form = variant.format or header.format
    upright = (header.height, header.width) if header.orientation >= 5 else (header.width, header.height)
    geometry = plan(*upright, variant)
    check_size(form, geometry.canvas or geometry.size)
    try:
        with open_image(header) as image:
            count = len(header.gif.frames) if header.gif else getattr(image, "n_frames", 1)
            if count > 1 and form in ANIMATED and header.format != "png":
                made = _animation(image, count, header, geometry, form, checkpoint)
            else:
                made = _still(image, header, geometry, form, checkpoint)
    except HttpError:
        raise
    # Pillow's decoders raise nearly everything on hostile input; none of it is the function's fault.
    except Exception as error:
        raise UnprocessableError("corrupt", "The original cannot be decoded.") from error
    if _is_unchanged(header, geometry, form):
        header.stream.seek(0)
        data = header.stream.read()
        return made if len(made.data) < len(data) else made._replace(data=data)
    return made


def _is_unchanged(header: Header, geometry: Plan, form: str) -> bool:
    """Whether the picture of the original, without its metadata, may be the variant."""
    size = header.width, header.height
    return (
        header.is_clean
        and form == header.format
        and header.orientation == 1
        and geometry.size == geometry.crop == (geometry.canvas or size) == size
        and (header.icc is None or _is_srgb(header.icc))
    )


def _box(size: tuple[int, int], crop: tuple[float, float]) -> Box:
    left, top = (size[0] - crop[0]) / 2, (size[1] - crop[1]) / 2
    return left, top, min(left + crop[0], size[0]), min(top + crop[1], size[1])


def _stored(size: tuple[int, int], header: Header, geometry: Plan) -> tuple[tuple[int, int], Box]:
    """The final size and the box to use, in the position in which the picture is stored."""
    if header.orientation >= 5:  # on its side
        return geometry.size[::-1], _box(size, geometry.crop[::-1])
    return geometry.size, _box(size, geometry.crop)


def _still(
    image: Image.Image, header: Header, geometry: Plan, form: str, checkpoint: _Checkpoint
) -> Rendered:
    size, box = _stored(image.size, header, geometry)
    pixels = image.width * image.height
    if header.format == "jpeg":
        stays = form == "jpeg" and header.ycbcr and header.icc is None and geometry.canvas is None
        pixels, box = draft(cast("ImageFile", image), size, box, "YCbCr" if stays else None)
    checkpoint(pixels / DECODE_RATE)
    small = _finish(_shrink(image, size, box), header, geometry, form)
    checkpoint(encode_s(small, form))
    data = still(
        small,
        form,
        palette=header.palette,
        sampled=lambda: _sampled(image, header, geometry, form),
        most=_most(header, geometry, form),
        checkpoint=checkpoint,
    )
    return Rendered(data, form, small.size)


def _sampled(image: Image.Image, header: Header, geometry: Plan, form: str) -> Image.Image | None:
    """The variant of a picture that has the colours of a palette, made of its pixels as they are."""
    size, box = _stored(image.size, header, geometry)
    if image.mode in ("P", "1"):
        image = _continuous(image)
    if image.getcolors(_PALETTE) is None:
        return None
    return _finish(image.resize(size, Image.Resampling.NEAREST, box), header, geometry, form)


def _most(header: Header, geometry: Plan, form: str) -> float:
    """The bytes that a variant should not exceed: its original's.

    Another format may take more, and so may bars around a small picture. What is unchanged has no need.
    """
    width, height = geometry.canvas or geometry.size
    bigger = width * height > header.width * header.height
    if bigger or form != header.format or _is_unchanged(header, geometry, form):
        return math.inf
    return header.length


def _shrink(image: Image.Image, size: tuple[int, int], box: Box) -> Image.Image:
    if image.mode in ("P", "PA", "1") or "transparency" in image.info:
        image = _continuous(image)
    return image.resize(size, Image.Resampling.LANCZOS, box, reducing_gap=GAP)


def _continuous(image: Image.Image) -> Image.Image:
    """Modes that cannot be averaged, or whose transparency is not in a band of its own, to ones that can."""
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


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


@lru_cache(maxsize=8)
def _is_srgb(icc: bytes) -> bool:
    """Whether a colour profile is sRGB's, or as good as that: whether a grid of colours stays what it is."""
    steps = range(0, 256, 51)
    grid = Image.new("RGB", (len(steps) ** 3, 1))
    grid.putdata([(red, green, blue) for red in steps for green in steps for blue in steps])
    if _transform(icc, "RGB") is None:
        return False
    error = ImageChops.difference(grid, _to_srgb(grid, icc)).getextrema()
    return max(high for _, high in cast("tuple[tuple[int, int], ...]", error)) <= _SRGB_ERROR


def _animation(
    image: Image.Image, count: int, header: Header, geometry: Plan, form: str, checkpoint: _Checkpoint
) -> Rendered:
    size, box = _stored((header.width, header.height), header, geometry)
    opaque = header.gif.is_opaque if header.gif else image.mode == "RGB"
    opaque = opaque and geometry.canvas in (None, geometry.size)

    def finished() -> Iterator[tuple[Image.Image, int]]:
        for frame, duration in frames(image, header):
            continuous = frame if opaque else frame.convert("RGBA")
            yield _finish(_shrink(continuous, size, box), header, geometry, form), duration

    shared = header.gif.palette if header.gif and form == "gif" else b""
    data = animation(
        finished,
        count,
        form,
        header.plays,
        palette=gif_palette(shared) if shared else None,
        opaque=opaque,
        most=_most(header, geometry, form),
        checkpoint=checkpoint,
    )
    return Rendered(data, form, geometry.canvas or geometry.size)
